package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// fingerprint hashes the configuration of a kind of source. The secrets are hashed as bytes, besides: as text in JSON two that are not valid UTF-8 can
// look the same, and a source would keep the password of before.
func fingerprint(kind string, config any, secrets ...string) string {
	raw := make([][]byte, 0, len(secrets))
	for _, secret := range secrets {
		raw = append(raw, []byte(secret))
	}
	// Marshalling strings, numbers and bytes cannot fail.
	fields, _ := json.Marshal(struct {
		Kind    string
		Config  any
		Secrets [][]byte
	}{kind, config, raw})
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:])
}
