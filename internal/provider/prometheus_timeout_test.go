package provider

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// Prometheus rejects a query whose timeout it cannot read: 4.5s, as Go writes it, is no length of time for it.
func TestTheServerCanReadItsTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]string{
		10 * time.Second:        "9s",
		5 * time.Second:         "4s500ms",
		time.Second:             "900ms",
		90 * time.Second:        "1m21s",
		1234 * time.Millisecond: "1s110ms",
	} {
		got := (&prometheus{endpoint: endpoint{timeout: timeout}}).form("up", time.Now()).Get("timeout")
		if read, err := model.ParseDuration(got); got != want || err != nil || time.Duration(read) > timeout {
			t.Errorf("of %s the server gets %s (read as %s, %v), want %s", timeout, got, read, err, want)
		}
	}
}
