package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// source is one service's published model with the names it is found by.
type source struct {
	Folder string // name of the model's folder: the name that the AWS CLI and boto3 use
	Key    string // Service.Key, see assignKeys
	SDK    string // name in aws-sdk:<name>:<action>
	Model  model
}

// model is the part of a published model that is read.
type model struct {
	Metadata   metadata
	Operations map[string]operation
	Shapes     ordered[shape]
}

type metadata struct {
	APIVersion          string `json:"apiVersion"`
	EndpointPrefix      string `json:"endpointPrefix"`
	SigningName         string `json:"signingName"`
	ServiceID           string `json:"serviceId"`
	Protocol            string `json:"protocol"`
	Protocols           []string
	JSONVersion         string `json:"jsonVersion"`
	TargetPrefix        string `json:"targetPrefix"`
	XMLNamespace        any    `json:"xmlNamespace"`
	AWSQueryCompatible  any    `json:"awsQueryCompatible"`
	ServiceAbbreviation string `json:"serviceAbbreviation"`
	ServiceFullName     string `json:"serviceFullName"`
}

type operation struct {
	Name string
	HTTP struct {
		Method       string
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input, Output struct {
		Shape         string
		ResultWrapper string `json:"resultWrapper"`
		LocationName  string `json:"locationName"`
		XMLNamespace  any    `json:"xmlNamespace"`
	}
	Errors     []struct{ Shape string }
	Endpoint   struct{ HostPrefix string }
	Deprecated bool
}

type shape struct {
	Type       string
	Members    ordered[member]
	Required   []string
	Member     *member
	Key, Value *member
	Enum       []string
	Min, Max   *float64
	Pattern    string
	Flattened, Union,
	Document, Exception,
	Fault, Wrapper,
	Streaming, EventStream, Sensitive bool
	Payload         string
	TimestampFormat string
	LocationName    string
	Error           *errorTraits
}

type errorTraits struct {
	Code           string
	HTTPStatusCode int `json:"httpStatusCode"`
}

type member struct {
	Shape, Location, LocationName, QueryName, TimestampFormat       string
	Flattened, XMLAttribute, Streaming, JSONValue, HostLabel, Union bool
	IdempotencyToken                                                bool
	XMLNamespace                                                    any
}

// ordered is a JSON object that keeps the order of its members.
type ordered[T any] struct {
	Names []string
	By    map[string]*T
}

func (o *ordered[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	o.By = map[string]*T{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return err
		}
		v := new(T)
		if err := d.Decode(v); err != nil {
			return fmt.Errorf("%v: %w", k, err)
		}
		o.Names = append(o.Names, k.(string))
		o.By[k.(string)] = v
	}
	return nil
}

// namespaceURI reads an xmlNamespace, which is a text or an object with a member uri.
func namespaceURI(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		s, _ := v["uri"].(string)
		return s
	}
	return ""
}

// readAll reads the newest model of each service, sorted by folder name. A service id appears once.
func readAll(dirs []string) ([]*source, error) {
	var out []*source
	seen := map[string]bool{}
	for _, dir := range dirs {
		found, err := readDir(dir)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no models there", dir)
		}
		for _, s := range found {
			if !seen[s.Model.Metadata.ServiceID] {
				seen[s.Model.Metadata.ServiceID] = true
				out = append(out, s)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Folder < out[j].Folder })
	return out, nil
}

func readDir(dir string) ([]*source, error) {
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []*source
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		b, err := newest(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		s := &source{Folder: f.Name()}
		if err := json.Unmarshal(b, &s.Model); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		if s.Model.Metadata.ServiceID == "" {
			return nil, fmt.Errorf("%s: no serviceId", f.Name())
		}
		out = append(out, s)
	}
	return out, nil
}

// newest returns the JSON of the newest version in a service's folder, nil if there is none.
func newest(dir string) ([]byte, error) {
	versions, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sort.Slice(versions, func(i, j int) bool { return versions[i].Name() > versions[j].Name() })
	for _, v := range versions {
		for _, name := range []string{"service-2.json", "service-2.json.gz", "api-2.json"} {
			b, err := os.ReadFile(filepath.Join(dir, v.Name(), name))
			if errors.Is(err, fs.ErrNotExist) || (err != nil && !v.IsDir()) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(name, ".gz") {
				z, err := gzip.NewReader(bytes.NewReader(b))
				if err != nil {
					return nil, err
				}
				return io.ReadAll(z)
			}
			return b, nil
		}
	}
	return nil, nil
}
