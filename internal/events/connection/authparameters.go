package connection

import (
	"encoding/base64"
	"slices"

	"github.com/newel-run/newel/internal/httpcall"
)

// The ways in which a connection authorizes.
const (
	authAPIKey = "API_KEY"
	authBasic  = "BASIC"
	authOAuth  = "OAUTH_CLIENT_CREDENTIALS"
)

// authParameters are a connection's parameters as the API has them: whole in the connection's secret, without what is
// secret in its record.
type authParameters struct {
	ApiKeyAuthParameters     *apiKey         `json:",omitempty"` //nolint:revive // AWS's name
	BasicAuthParameters      *basicAuth      `json:",omitempty"`
	OAuthParameters          *oauth          `json:",omitempty"`
	InvocationHttpParameters *httpParameters `json:",omitempty"` //nolint:revive // AWS's name
}

type apiKey struct {
	ApiKeyName  string //nolint:revive // AWS's name
	ApiKeyValue string `json:",omitempty"` //nolint:revive // AWS's name
}

type basicAuth struct {
	Username string
	Password string `json:",omitempty"`
}

type oauth struct {
	ClientParameters      *oauthClient `json:",omitempty"`
	AuthorizationEndpoint string
	HttpMethod            string          //nolint:revive // AWS's name
	OAuthHttpParameters   *httpParameters `json:",omitempty"` //nolint:revive // AWS's name
}

type oauthClient struct {
	ClientID     string
	ClientSecret string `json:",omitempty"`
}

// httpParameters are what is added to requests.
type httpParameters struct {
	HeaderParameters      []httpParameter `json:",omitempty"`
	QueryStringParameters []httpParameter `json:",omitempty"`
	BodyParameters        []httpParameter `json:",omitempty"`
}

type httpParameter struct {
	Key           string
	Value         string `json:",omitempty"`
	IsValueSecret bool
}

// fits reports whether the parameters are those of the way of authorization and of no other.
func (p *authParameters) fits(kind string) bool {
	return p != nil && (p.ApiKeyAuthParameters != nil) == (kind == authAPIKey) && (p.BasicAuthParameters != nil) == (kind == authBasic) &&
		(p.OAuthParameters != nil) == (kind == authOAuth)
}

// update takes over what a request gives; another way of authorization drops the one before.
func (p *authParameters) update(kind string, in *authParameters) {
	if in == nil {
		return
	}
	if a := in.ApiKeyAuthParameters; a != nil {
		if p.ApiKeyAuthParameters == nil {
			p.ApiKeyAuthParameters = &apiKey{}
		}
		take(&p.ApiKeyAuthParameters.ApiKeyName, a.ApiKeyName)
		take(&p.ApiKeyAuthParameters.ApiKeyValue, a.ApiKeyValue)
	}
	if b := in.BasicAuthParameters; b != nil {
		if p.BasicAuthParameters == nil {
			p.BasicAuthParameters = &basicAuth{}
		}
		take(&p.BasicAuthParameters.Username, b.Username)
		take(&p.BasicAuthParameters.Password, b.Password)
	}
	if o := in.OAuthParameters; o != nil {
		if p.OAuthParameters == nil {
			p.OAuthParameters = &oauth{}
		}
		p.OAuthParameters.update(o)
	}
	if in.InvocationHttpParameters != nil {
		p.InvocationHttpParameters = in.InvocationHttpParameters
	}
	for of, drop := range map[string]func(){authAPIKey: func() { p.ApiKeyAuthParameters = nil }, authBasic: func() { p.BasicAuthParameters = nil }, authOAuth: func() { p.OAuthParameters = nil }} {
		if of != kind {
			drop()
		}
	}
}

func (o *oauth) update(in *oauth) {
	take(&o.AuthorizationEndpoint, in.AuthorizationEndpoint)
	take(&o.HttpMethod, in.HttpMethod)
	if c := in.ClientParameters; c != nil {
		if o.ClientParameters == nil {
			o.ClientParameters = &oauthClient{}
		}
		take(&o.ClientParameters.ClientID, c.ClientID)
		take(&o.ClientParameters.ClientSecret, c.ClientSecret)
	}
	if in.OAuthHttpParameters != nil {
		o.OAuthHttpParameters = in.OAuthHttpParameters
	}
}

func take(into *string, given string) {
	if given != "" {
		*into = given
	}
}

// public are the parameters without what is secret.
func (p *authParameters) public() *authParameters {
	out := &authParameters{InvocationHttpParameters: p.InvocationHttpParameters.public()}
	if a := p.ApiKeyAuthParameters; a != nil {
		out.ApiKeyAuthParameters = &apiKey{ApiKeyName: a.ApiKeyName}
	}
	if b := p.BasicAuthParameters; b != nil {
		out.BasicAuthParameters = &basicAuth{Username: b.Username}
	}
	if o := p.OAuthParameters; o != nil {
		out.OAuthParameters = &oauth{AuthorizationEndpoint: o.AuthorizationEndpoint, HttpMethod: o.HttpMethod, OAuthHttpParameters: o.OAuthHttpParameters.public()}
		if o.ClientParameters != nil {
			out.OAuthParameters.ClientParameters = &oauthClient{ClientID: o.ClientParameters.ClientID}
		}
	}
	return out
}

func (h *httpParameters) public() *httpParameters {
	if h == nil {
		return nil
	}
	hide := func(list []httpParameter) []httpParameter {
		list = slices.Clone(list)
		for i := range list {
			if list[i].IsValueSecret {
				list[i].Value = ""
			}
		}
		return list
	}
	return &httpParameters{hide(h.HeaderParameters), hide(h.QueryStringParameters), hide(h.BodyParameters)}
}

// additions are the parameters as they go into a request.
func (h *httpParameters) additions() (out httpcall.Additions) {
	if h == nil {
		return out
	}
	pairs := func(list []httpParameter) (out []httpcall.Pair) {
		for _, p := range list {
			out = append(out, httpcall.Pair{Key: p.Key, Value: p.Value})
		}
		return out
	}
	return httpcall.Additions{Headers: pairs(h.HeaderParameters), Query: pairs(h.QueryStringParameters), Body: pairs(h.BodyParameters)}
}

// static are a connection's additions to a request as far as they need no token.
func (p *authParameters) static() httpcall.Additions {
	out := p.InvocationHttpParameters.additions()
	credential := httpcall.Pair{}
	switch {
	case p.ApiKeyAuthParameters != nil:
		credential = httpcall.Pair{Key: p.ApiKeyAuthParameters.ApiKeyName, Value: p.ApiKeyAuthParameters.ApiKeyValue}
	case p.BasicAuthParameters != nil:
		credential = authorization("Basic " + base64.StdEncoding.EncodeToString([]byte(p.BasicAuthParameters.Username+":"+p.BasicAuthParameters.Password)))
	default:
		return out
	}
	out.Headers = append([]httpcall.Pair{credential}, out.Headers...)
	return out
}

func authorization(v string) httpcall.Pair { return httpcall.Pair{Key: "Authorization", Value: v} }
