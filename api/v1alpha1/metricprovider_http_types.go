package v1alpha1

// HTTPPreset names a CRM whose API the operator knows.
//
// +kubebuilder:validation:Enum=Salesforce;Dynamics365;HubSpot;Odoo
type HTTPPreset string

// The presets.
const (
	// HTTPPresetSalesforce: queries are SOQL.
	HTTPPresetSalesforce HTTPPreset = "Salesforce"
	// HTTPPresetDynamics365: queries are OData queries of the Dataverse Web API.
	HTTPPresetDynamics365 HTTPPreset = "Dynamics365"
	// HTTPPresetHubSpot: queries are searches of HubSpot's CRM search API.
	HTTPPresetHubSpot HTTPPreset = "HubSpot"
	// HTTPPresetOdoo: queries are domains, for the JSON-2 API of Odoo 19 and later.
	HTTPPresetOdoo HTTPPreset = "Odoo"
)

// RowAggregate says what becomes of several rows for one site.
//
// +kubebuilder:validation:Enum=None;Count;Sum;Mean
type RowAggregate string

// The aggregates.
const (
	// RowAggregateNone: a site has one row; with two its value is ambiguous.
	RowAggregateNone RowAggregate = "None"
	// RowAggregateCount: the value is the number of rows.
	RowAggregateCount RowAggregate = "Count"
	// RowAggregateSum: the value is the sum of the rows' values.
	RowAggregateSum RowAggregate = "Sum"
	// RowAggregateMean: the value is the arithmetic mean of the rows' values.
	RowAggregateMean RowAggregate = "Mean"
)

// HeaderName is the name of an HTTP header.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9-]*$`
type HeaderName string

// HTTPHeader is a header that is sent with every request.
//
// +kubebuilder:validation:XValidation:rule="!(self.name.lowerAscii() in ['authorization', 'cookie', 'host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'accept-encoding', 'te', 'trailer', 'upgrade', 'expect', 'proxy-authorization'])",message="this header carries credentials or belongs to the connection: for credentials use auth or secretHeaders"
type HTTPHeader struct {
	// name of the header.
	//
	// +required
	Name HeaderName `json:"name,omitempty"`

	// value of the header. It can be read by whoever can read this object: what is secret belongs into secretHeaders.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}

// HTTPSecretHeader is a header whose value is in a Secret.
//
// +kubebuilder:validation:XValidation:rule="!(self.name.lowerAscii() in ['host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'accept-encoding', 'te', 'trailer', 'upgrade', 'expect', 'proxy-authorization'])",message="this header belongs to the connection"
type HTTPSecretHeader struct {
	// name of the header.
	//
	// +required
	Name HeaderName `json:"name,omitempty"`

	// value is the entry of a Secret that holds the value.
	//
	// +required
	Value SecretKey `json:"value,omitzero"`
}

// OAuth2Parameter is one more field of a request for a token.
//
// +kubebuilder:validation:XValidation:rule="!(self.name in ['grant_type', 'scope', 'client_id', 'client_secret'])",message="grant_type, scope, client_id and client_secret have their own fields"
type OAuth2Parameter struct {
	// name of the field, for example audience or resource.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Name string `json:"name,omitempty"`

	// value of the field.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}

// ClientAuthentication says how the client ID and the client secret are sent.
//
// +kubebuilder:validation:Enum=Body;Header
type ClientAuthentication string

// The ways of sending them.
const (
	// ClientAuthenticationBody: as fields of the form.
	ClientAuthenticationBody ClientAuthentication = "Body"
	// ClientAuthenticationHeader: as basic authentication.
	ClientAuthenticationHeader ClientAuthentication = "Header"
)

// OAuth2ClientCredentials gets tokens by the client credentials grant of OAuth 2.0 (RFC 6749, section 4.4). A token is kept until it expires, or until it is refused once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ca) || self.tokenURL.startsWith('https://')",message="ca needs a tokenURL that begins with https://"
type OAuth2ClientCredentials struct {
	// tokenURL is the token endpoint: "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token".
	//
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@?#\\\\s]+(/[^@#\\\\s]*)?$')",message="must be a URL such as https://login.example/oauth2/token, without user name or fragment"
	TokenURL string `json:"tokenURL,omitempty"`

	// clientID is the entry of a Secret that holds the client's ID.
	//
	// +required
	ClientID SecretKey `json:"clientID,omitzero"`

	// clientSecret is the entry of a Secret that holds the client's secret.
	//
	// +required
	ClientSecret SecretKey `json:"clientSecret,omitzero"`

	// clientAuthentication says how clientID and clientSecret are sent: in the Body of the request, or as basic authentication in its Header. Unset: Body.
	//
	// +optional
	ClientAuthentication ClientAuthentication `json:"clientAuthentication,omitempty"`

	// scopes are asked for. Unset: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`

	// parameters are further fields of the request, for example an audience. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Parameters []OAuth2Parameter `json:"parameters,omitempty"`

	// ca is the PEM bundle of certificate authorities to trust at the token endpoint. Unset: those of the operator's image.
	//
	// +optional
	CA *SecretKey `json:"ca,omitempty"`
}

// HTTPAuth says who we are. Exactly one way is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.bearerToken), has(self.basicAuth), has(self.oauth2)].exists_one(set, set)",message="exactly one must be set: bearerToken, basicAuth, oauth2"
type HTTPAuth struct {
	// bearerToken is the entry of a Secret that holds a token: the API key of Odoo, the access token of a private app of HubSpot. Unset: another way is set.
	//
	// +optional
	BearerToken *SecretKey `json:"bearerToken,omitempty"`

	// basicAuth is sent with every request. Unset: another way is set.
	//
	// +optional
	BasicAuth *BasicAuth `json:"basicAuth,omitempty"`

	// oauth2 gets tokens with a client ID and a client secret, as Salesforce and Dynamics 365 want it. Unset: another way is set.
	//
	// +optional
	OAuth2 *OAuth2ClientCredentials `json:"oauth2,omitempty"`
}

// HTTPCursor sends a mark from one page along to get the next one.
//
// +kubebuilder:validation:XValidation:rule="has(self.parameter) != has(self.bodyField)",message="exactly one must be set: parameter, bodyField"
type HTTPCursor struct {
	// expression in CEL that finds the mark of the next page in body. Null, "" or a part that is not there (body.?paging.next) ends the answer.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Expression string `json:"expression,omitempty"`

	// parameter of the query in which the mark is sent. Unset: it is sent in the body.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Parameter string `json:"parameter,omitempty"`

	// bodyField is the field of the request's body in which the mark is sent. Unset: it is sent in the query.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	BodyField string `json:"bodyField,omitempty"`
}

// HTTPPageNumber counts pages up.
type HTTPPageNumber struct {
	// parameter of the query in which the number is sent.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Parameter string `json:"parameter,omitempty"`

	// first is the number of the first page. Unset: 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	First *int64 `json:"first,omitempty"`

	// more is an expression in CEL that is true when another page follows: "body.page < body.pages". Unset: pages are read until one has no rows, so the expression that
	// extracts rows must not drop any.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	More string `json:"more,omitempty"`
}

// HTTPPagination says how to get at the next page of an answer. At most one way is set; an answer that has more pages than may be read is an error.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.nextLink), has(self.cursor), has(self.page)].filter(set, set).size() <= 1",message="only one may be set: nextLink, cursor, page"
type HTTPPagination struct {
	// nextLink is an expression in CEL that finds the URL of the next page in body, absolute or relative: "body.?links.next". It must be at the same host. Null, "" or a
	// part that is not there ends the answer. Unset: pages are not linked.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	NextLink string `json:"nextLink,omitempty"`

	// cursor sends a mark from one page along to get the next one. Unset: there are no marks.
	//
	// +optional
	Cursor *HTTPCursor `json:"cursor,omitempty"`

	// page counts pages up. Unset: pages have no numbers.
	//
	// +optional
	Page *HTTPPageNumber `json:"page,omitempty"`

	// maxPages is how many pages an answer may have; one with more is not used. Unset: 100.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxPages *int32 `json:"maxPages,omitempty"`
}

// HTTPProvider is a server that answers with JSON: the API of a CRM, or any other.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.address.startsWith('https://')",message="tls needs an address that begins with https://"
// +kubebuilder:validation:XValidation:rule="!has(self.preset) || !has(self.extract) && !has(self.aggregate)",message="a preset brings its own extract and aggregate: leave them out; a KPI's query can bring others below ---"
// +kubebuilder:validation:XValidation:rule="!has(self.preset) || !has(self.pagination) || !has(self.pagination.nextLink) && !has(self.pagination.cursor) && !has(self.pagination.page)",message="a preset brings its own pagination: only maxPages may be set"
// +kubebuilder:validation:XValidation:rule="has(self.preset) || !has(self.apiVersion)",message="apiVersion needs a preset: without one, write the version into the path of the queries"
type HTTPProvider struct {
	// address is the base URL, to which the paths of queries are added: "https://example.my.salesforce.com". No user name, query or fragment.
	//
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/@?#\\\\s]+(/[^@?#\\\\s]*)?$')",message="must be a URL such as https://crm.example/base, without user name, query or fragment; credentials belong into a Secret"
	Address string `json:"address,omitempty"`

	// preset is the CRM that answers. It fills in paths, headers, pagination and extraction, and queries are in the CRM's own language. Unset: queries begin with a method
	// and a path, and extract says where the numbers are.
	//
	// +optional
	Preset HTTPPreset `json:"preset,omitempty"`

	// apiVersion is the version of the preset's API. Unset: v62.0 of Salesforce, v9.2 of Dynamics 365, v3 of HubSpot, 2 of Odoo.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]+(\.[0-9]+)?$`
	APIVersion string `json:"apiVersion,omitempty"`

	// headers are sent with every request. Each name stands once, in any case of its letters, and none is one that the preset sets. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Headers []HTTPHeader `json:"headers,omitempty"`

	// secretHeaders are sent with every request; their values are entries of Secrets. Their names stand in no other header. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	SecretHeaders []HTTPSecretHeader `json:"secretHeaders,omitempty"`

	// auth says who we are. Unset: nobody, or what secretHeaders say.
	//
	// +optional
	Auth *HTTPAuth `json:"auth,omitempty"`

	// tls settings. Unset: the certificate authorities of the operator's image are trusted and no client certificate is presented.
	//
	// +optional
	TLS *TLSConfig `json:"tls,omitempty"`

	// timeout for one query with all its pages, at most 5m. Unset: 30s.
	//
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// maxResponseBytes is the size of an answer, all its pages together, above which it is refused: at most 67108864 (64 MiB). Unset: 16777216 (16 MiB).
	//
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=67108864
	MaxResponseBytes *int64 `json:"maxResponseBytes,omitempty"`

	// pagination says how to get at the next page. Unset: that of the preset; without one, the first page is the whole answer.
	//
	// +optional
	Pagination *HTTPPagination `json:"pagination,omitempty"`

	// extract is an expression in CEL that finds the numbers in body, one page of the answer. It gives a list of objects with the fields site (or what the KPI's siteLabel
	// says), value and, where known, samples: "body.items"; or a map from site to value: "body.values"; or for queries with scope PerSite a number. Numbers in body are
	// doubles (write 100.0). A KPI's query can bring its own below a line with ---. Unset: that of the preset; without one, every query brings its own.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Extract string `json:"extract,omitempty"`

	// aggregate says what becomes of several rows for one site, over all pages. A KPI's query can say otherwise: "--- Sum". Unset: None.
	//
	// +optional
	Aggregate RowAggregate `json:"aggregate,omitempty"`
}
