package metricprovider

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// filled is a declared database with every entry of a Secret filled in with the name of its field.
func filled(t *testing.T, declared *v1alpha1.SQLProvider) *sqlSource {
	t.Helper()
	made, found := newSQLSource(declared)
	if found != (problem{}) {
		t.Fatalf("refused: %+v", found)
	}
	for _, wanted := range made.credentials() {
		if wanted.from != nil {
			wanted.into([]byte(wanted.field + " from " + wanted.from.Name + "/" + wanted.from.Key))
		}
	}
	return made.(*sqlSource)
}

func key(name string) *v1alpha1.SecretKey { return &v1alpha1.SecretKey{Name: "crm-db", Key: name} }

func TestADatabaseIsOpenedAsItIsDeclared(t *testing.T) {
	rows := int32(500)
	for name, test := range map[string]struct {
		declared v1alpha1.SQLProvider
		want     provider.SQLConfig
	}{
		"with what is required": {
			v1alpha1.SQLProvider{Engine: v1alpha1.SQLEnginePostgreSQL, Address: "db.example:5432", Database: "crm", Username: *key("user"), Password: key("password")},
			provider.SQLConfig{Engine: provider.PostgreSQL, Address: "db.example:5432", Database: "crm",
				Username: "spec.sql.username from crm-db/user", Password: "spec.sql.password from crm-db/password"},
		},
		"with everything": {
			v1alpha1.SQLProvider{Engine: v1alpha1.SQLEngineMySQL, Address: "db.example:3306", Database: "crm", Username: *key("user"), Timeout: "1m30s", MaxRows: &rows,
				TLS: &v1alpha1.TLSConfig{CA: key("ca"), Certificate: key("cert"), PrivateKey: key("key"), ServerName: "crm"}},
			provider.SQLConfig{Engine: provider.MySQL, Address: "db.example:3306", Database: "crm", Username: "spec.sql.username from crm-db/user",
				Timeout: 90e9, MaxRows: 500, CA: []byte("spec.sql.tls.ca from crm-db/ca"), Cert: []byte("spec.sql.tls.certificate from crm-db/cert"),
				Key: []byte("spec.sql.tls.privateKey from crm-db/key"), ServerName: "crm"},
		},
		"without TLS": {
			v1alpha1.SQLProvider{Engine: v1alpha1.SQLEngineMySQL, Address: "db.example:3306", Database: "crm", Username: *key("user"), Password: key("password"), InsecurePlaintext: true},
			provider.SQLConfig{Engine: provider.MySQL, Address: "db.example:3306", Database: "crm", InsecurePlaintext: true,
				Username: "spec.sql.username from crm-db/user", Password: "spec.sql.password from crm-db/password"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := filled(t, &test.declared)
			// Configurations print without credentials, and so would their difference: the fields are compared as those of another type.
			type open provider.SQLConfig
			if diff := cmp.Diff(open(test.want), open(got.config)); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if want := string(test.declared.Engine) + " at " + test.declared.Address; got.where() != want {
				t.Errorf("queries are said to go to %q, want %q", got.where(), want)
			}
		})
	}
}

func TestADatabaseThatCannotBeOpenedSaysWhy(t *testing.T) {
	declared := v1alpha1.SQLProvider{Engine: v1alpha1.SQLEnginePostgreSQL, Address: "db.example:5432", Database: "crm", Username: *key("user"), Password: key("password"), Timeout: "soon"}
	if _, found := newSQLSource(&declared); found.reason != v1alpha1.ReasonInvalidSpec || found.message != `spec.sql.timeout: "soon" is not a duration: not a valid duration string: "soon"` {
		t.Errorf("a timeout that is none: %+v", found)
	}
	declared.Timeout, declared.Address = "", "127.0.0.1:5432"
	made := filled(t, &declared)
	if opened, err := made.open(nil, provider.Limits{}); opened != nil || provider.ReasonOf(err) != provider.AddressRefused {
		t.Errorf("this machine: opened %v with error %v, want reason AddressRefused", opened, err)
	}
	declared.Address = "db.example:5432"
	made = filled(t, &declared)
	opened, err := made.open(nil, provider.Limits{Concurrent: 2})
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
	before := made.fingerprint()
	made.config.Password = "another"
	if made.fingerprint() == before {
		t.Error("another password makes no difference: the source would stay open with the old one")
	}
}
