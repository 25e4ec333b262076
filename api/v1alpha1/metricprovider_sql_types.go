package v1alpha1

// SQLEngine is a family of databases that speak one protocol.
//
// +kubebuilder:validation:Enum=PostgreSQL;MySQL
type SQLEngine string

const (
	// SQLEnginePostgreSQL is PostgreSQL 12 or newer, and what speaks its protocol.
	SQLEnginePostgreSQL SQLEngine = "PostgreSQL"
	// SQLEngineMySQL is MySQL 5.7.8 or newer and MariaDB 10.1 or newer.
	SQLEngineMySQL SQLEngine = "MySQL"
)

// SQLProvider is a database. A query is one SELECT statement with the columns site, value and, if it likes, samples; :start and :end stand for the
// borders of the window. It runs in a read-only transaction that is rolled back. The connection uses TLS with a verified certificate unless
// insecurePlaintext says otherwise.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.insecurePlaintext) && self.insecurePlaintext && has(self.tls))",message="insecurePlaintext and tls exclude each other"
// +kubebuilder:validation:XValidation:rule="has(self.password) || (has(self.tls) && has(self.tls.certificate))",message="password must be set, unless tls has a client certificate to log in with"
type SQLProvider struct {
	// engine is the protocol that the server speaks: PostgreSQL, or MySQL, which is also the one of MariaDB.
	//
	// +required
	Engine SQLEngine `json:"engine,omitempty"`

	// address is host:port of the server, such as "crm-db.example:5432". An IPv6 address is in brackets.
	//
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=261
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9._-]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[1-9][0-9]{0,4}$')",message="must be host:port such as crm-db.example:5432, without scheme, user name or database; credentials belong into a Secret"
	Address string `json:"address,omitempty"`

	// database is the name of the database to connect to.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Database string `json:"database,omitempty"`

	// username is the entry of a Secret that holds the user name. Use one that can only read what the queries need.
	//
	// +required
	Username SecretKey `json:"username,omitzero"`

	// password is the entry of a Secret that holds the password. Unset: the client certificate in tls logs in.
	//
	// +optional
	Password *SecretKey `json:"password,omitempty"`

	// tls settings. Unset: the certificate authorities of the operator's image are trusted and no client certificate is presented.
	//
	// +optional
	TLS *TLSConfig `json:"tls,omitempty"`

	// insecurePlaintext connects without TLS when it is true: whoever is on the way can read and change numbers. The password itself is not sent, so that a user of MySQL
	// with sha256_password, or with a caching_sha2_password that the server does not remember, cannot log in. Unset: TLS is used, and a server without it is refused.
	//
	// +optional
	InsecurePlaintext bool `json:"insecurePlaintext,omitempty"`

	// timeout for one query, at most 5m. The server is told to stop the query a little earlier. Unset: 30s.
	//
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// maxRows is how many rows an answer may have; one with more is refused. Unset: 100000.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxRows *int32 `json:"maxRows,omitempty"`
}
