package apigateway

// The rows of the store; V is their format: 1. The inner types have the API's own member names, so that they are its answers
// too.

type apiRow struct {
	V         int
	API       restAPI
	Resources map[string]*resource
	Models    map[string]*model
}

type restAPI struct {
	ID                        string            `json:"id"`
	Name                      string            `json:"name"`
	Description               string            `json:"description,omitempty"`
	CreatedDate               float64           `json:"createdDate"`
	Version                   string            `json:"version,omitempty"`
	BinaryMediaTypes          []string          `json:"binaryMediaTypes,omitempty"`
	MinimumCompressionSize    *int              `json:"minimumCompressionSize,omitempty"`
	APIKeySource              string            `json:"apiKeySource"`
	EndpointConfiguration     endpoint          `json:"endpointConfiguration"`
	Policy                    string            `json:"policy,omitempty"`
	Tags                      map[string]string `json:"tags,omitempty"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	RootResourceID            string            `json:"rootResourceId"`
}

type endpoint struct {
	Types          []string `json:"types"`
	VPCEndpointIDs []string `json:"vpcEndpointIds,omitempty"`
	IPAddressType  string   `json:"ipAddressType,omitempty"`
}

type resource struct {
	ID       string             `json:"id"`
	ParentID string             `json:"parentId,omitempty"`
	PathPart string             `json:"pathPart,omitempty"`
	Path     string             `json:"path"`
	Methods  map[string]*method `json:"resourceMethods,omitempty"`
}

type method struct {
	HTTPMethod        string                     `json:"httpMethod"`
	AuthorizationType string                     `json:"authorizationType"`
	APIKeyRequired    bool                       `json:"apiKeyRequired"`
	OperationName     string                     `json:"operationName,omitempty"`
	RequestParameters map[string]bool            `json:"requestParameters,omitempty"`
	RequestModels     map[string]string          `json:"requestModels,omitempty"`
	Responses         map[string]*methodResponse `json:"methodResponses,omitempty"`
	Integration       *integration               `json:"methodIntegration,omitempty"`
}

type methodResponse struct {
	StatusCode         string            `json:"statusCode"`
	ResponseParameters map[string]bool   `json:"responseParameters,omitempty"`
	ResponseModels     map[string]string `json:"responseModels,omitempty"`
}

type integration struct {
	Type                string                          `json:"type"`
	HTTPMethod          string                          `json:"httpMethod,omitempty"`
	URI                 string                          `json:"uri,omitempty"`
	ConnectionType      string                          `json:"connectionType,omitempty"`
	Credentials         string                          `json:"credentials,omitempty"`
	RequestParameters   map[string]string               `json:"requestParameters,omitempty"`
	RequestTemplates    map[string]string               `json:"requestTemplates,omitempty"`
	PassthroughBehavior string                          `json:"passthroughBehavior"`
	ContentHandling     string                          `json:"contentHandling,omitempty"`
	TimeoutInMillis     int                             `json:"timeoutInMillis"`
	CacheNamespace      string                          `json:"cacheNamespace"`
	CacheKeyParameters  []string                        `json:"cacheKeyParameters"`
	Responses           map[string]*integrationResponse `json:"integrationResponses,omitempty"`
}

type integrationResponse struct {
	StatusCode         string            `json:"statusCode"`
	SelectionPattern   string            `json:"selectionPattern,omitempty"`
	ResponseParameters map[string]string `json:"responseParameters,omitempty"`
	ResponseTemplates  map[string]string `json:"responseTemplates,omitempty"`
	ContentHandling    string            `json:"contentHandling,omitempty"`
}

type model struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Schema      string `json:"schema,omitempty"`
	ContentType string `json:"contentType"`
}

// deployment is a copy of an API as it was deployed.
type deployment struct {
	V           int       `json:"v,omitempty"`
	ID          string    `json:"id"`
	Description string    `json:"description,omitempty"`
	CreatedDate float64   `json:"createdDate"`
	Snapshot    *snapshot `json:"snapshot,omitempty"`
}

type snapshot struct {
	API       restAPI
	Resources []*resource
}

type stage struct {
	V                   int                      `json:"v,omitempty"`
	DeploymentID        string                   `json:"deploymentId"`
	StageName           string                   `json:"stageName"`
	Description         string                   `json:"description,omitempty"`
	CacheClusterEnabled bool                     `json:"cacheClusterEnabled"`
	CacheClusterSize    string                   `json:"cacheClusterSize,omitempty"`
	CacheClusterStatus  string                   `json:"cacheClusterStatus"`
	MethodSettings      map[string]methodSetting `json:"methodSettings"`
	Variables           map[string]string        `json:"variables,omitempty"`
	AccessLogSettings   map[string]string        `json:"accessLogSettings,omitempty"`
	TracingEnabled      bool                     `json:"tracingEnabled"`
	Tags                map[string]string        `json:"tags,omitempty"`
	CreatedDate         float64                  `json:"createdDate"`
	LastUpdatedDate     float64                  `json:"lastUpdatedDate"`
}

type methodSetting map[string]any

type apiKey struct {
	ID              string            `json:"id"`
	Value           string            `json:"value,omitempty"`
	Name            string            `json:"name,omitempty"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	CreatedDate     float64           `json:"createdDate"`
	LastUpdatedDate float64           `json:"lastUpdatedDate"`
	StageKeys       []string          `json:"stageKeys"`
	Tags            map[string]string `json:"tags,omitempty"`
}

// usagePlan admits keys to stages. Throttle and quota are kept without effect.
type usagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	APIStages   []planStage       `json:"apiStages"`
	Throttle    map[string]any    `json:"throttle,omitempty"`
	Quota       map[string]any    `json:"quota,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

type planStage struct {
	APIID    string         `json:"apiId"`
	Stage    string         `json:"stage"`
	Throttle map[string]any `json:"throttle,omitempty"`
}

type planKey struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Value string `json:"value,omitempty"`
	Name  string `json:"name,omitempty"`
}
