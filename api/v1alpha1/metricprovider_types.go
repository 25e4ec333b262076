package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BasicAuth is a user name and a password.
type BasicAuth struct {
	// username is the entry of a Secret that holds the user name.
	//
	// +required
	Username SecretKey `json:"username,omitzero"`

	// password is the entry of a Secret that holds the password.
	//
	// +required
	Password SecretKey `json:"password,omitzero"`
}

// TLSConfig says whom to trust and who we are.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.certificate) == has(self.privateKey)",message="certificate and privateKey must be set together"
type TLSConfig struct {
	// ca is the PEM bundle of certificate authorities to trust. Unset: those of the operator's image.
	//
	// +optional
	CA *SecretKey `json:"ca,omitempty"`

	// certificate is the PEM client certificate. Unset: none is presented.
	//
	// +optional
	Certificate *SecretKey `json:"certificate,omitempty"`

	// privateKey is the PEM key of the client certificate. Unset: none is presented.
	//
	// +optional
	PrivateKey *SecretKey `json:"privateKey,omitempty"`

	// serverName is the name expected in the server's certificate. Unset: the host of the address.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// PrometheusProvider is a server with the Prometheus HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.bearerToken) && has(self.basicAuth))",message="bearerToken and basicAuth exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.address.startsWith('https://')",message="tls needs an address that begins with https://"
type PrometheusProvider struct {
	// address is the base URL, to which /api/v1/query is added: "https://prometheus.example:9090/prefix". No user name, query or fragment.
	//
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@?#\\\\s]+(/[^@?#\\\\s]*)?$')",message="must be a URL such as https://prometheus.example:9090, without user name, query or fragment; credentials belong into a Secret"
	Address string `json:"address,omitempty"`

	// timeout for one query, at most 5m. Unset: 30s.
	//
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// maxResponseBytes is the size of an answer, decompressed, above which it is refused: at most 67108864 (64 MiB). Unset: 16777216 (16 MiB).
	//
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=67108864
	MaxResponseBytes *int64 `json:"maxResponseBytes,omitempty"`

	// bearerToken is the entry of a Secret that holds the token. Unset: none is sent.
	//
	// +optional
	BearerToken *SecretKey `json:"bearerToken,omitempty"`

	// basicAuth is sent with every query. Unset: none is sent.
	//
	// +optional
	BasicAuth *BasicAuth `json:"basicAuth,omitempty"`

	// tls settings. Unset: the certificate authorities of the operator's image are trusted and no client certificate is presented.
	//
	// +optional
	TLS *TLSConfig `json:"tls,omitempty"`

	// tenant is sent as the header X-Scope-OrgID, with which Mimir, Cortex and Loki tell tenants apart, and Thanos where it is set up to. Several tenants
	// at once are joined by "|". Unset: no such header is sent.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!._*'()|-]+$`
	Tenant string `json:"tenant,omitempty"`
}

// SourceLimits bound how much is asked of a source.
//
// +kubebuilder:validation:MinProperties=1
type SourceLimits struct {
	// concurrent is how many queries may run at once; the others wait. However many sources it has, a namespace has at most 8 KPIs measured at once. Unset: 4.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	Concurrent *int32 `json:"concurrent,omitempty"`

	// perMinute is how many measurements may begin in a minute, whatever the number of pages that each of them reads; the others wait, and fail with reason RateLimited when their turn would come too late. Unset: there is no such limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=6000
	PerMinute *int32 `json:"perMinute,omitempty"`
}

// MetricProviderSpec says where numbers come from. Exactly one source is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.prometheus), has(self.sql), has(self.http), has(self.readings)].exists_one(set, set)",message="exactly one source must be set: prometheus, sql, http, readings"
type MetricProviderSpec struct {
	// prometheus is a server with the Prometheus HTTP API. Unset: the numbers come from another source.
	//
	// +optional
	Prometheus *PrometheusProvider `json:"prometheus,omitempty"`

	// sql is a database: PostgreSQL, MySQL or MariaDB. Unset: the numbers come from another source.
	//
	// +optional
	SQL *SQLProvider `json:"sql,omitempty"`

	// http is a server that answers with JSON: the API of a CRM, or any other. Unset: the numbers come from another source.
	//
	// +optional
	HTTP *HTTPProvider `json:"http,omitempty"`

	// readings are values that people and jobs enter as KPIReadings in the same namespace. {} takes all defaults. Unset: the numbers come from another source.
	//
	// +optional
	Readings *ReadingsProvider `json:"readings,omitempty"`

	// limits bound how much is asked of the source. Unset: 4 queries at once, and as many in a minute as KPIs are due.
	//
	// +optional
	Limits *SourceLimits `json:"limits,omitempty"`
}

// MetricProviderStatus says whether the provider can be used.
type MetricProviderStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// source is what the queries go to, for people: the kind of the source and its host. Unset while the declaration cannot be understood.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Source string `json:"source,omitempty"`

	// conditions are Ready, which says that the configuration and its secrets are complete; whether the source answers is told by each KPI.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MetricProvider is a place where numbers come from.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=metricproviders,shortName=mprov,categories=crm
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.status.source`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type MetricProvider struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where numbers come from.
	//
	// +required
	Spec MetricProviderSpec `json:"spec,omitzero"`

	// status says whether the provider can be used.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status MetricProviderStatus `json:"status,omitzero"`
}

// MetricProviderList is a list of MetricProvider.
//
// +kubebuilder:object:root=true
type MetricProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MetricProvider `json:"items"`
}
