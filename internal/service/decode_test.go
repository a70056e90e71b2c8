package service

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/newel-run/newel/internal/aws"
)

type flat struct {
	Name, Other string
	Input       *string
	Dry         bool   `json:"dryRun"`
	Tagged      string `json:"x-y,omitempty"`
}

// A plan decodes as encoding/json does, and fails as that does.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"Name":"n","other":"o","input":"{\"a\":1}","dryRun":true,"x-y":"z"}`, `{"name":"a","Name":"b","NAME":"c"}`, `{"Name":null,"input":null,"dryRun":null}`,
		`{"input":"a","Input":null}`, `{"Name":1}`, `{"Name":{}}`, `{"dryRun":"true"}`, `{"dryRun":false}`, `{}`, ` { "Name" : "\u0041" } `, `{"unknown":[{"Name":1}]}`, `{"Name":"a"`, `[]`, `null`,
		`{"Name":"a"} trailing`, `{"Name":"\ud800"}`, `{"dryrun":true}`, `{"\u004eame":"escaped"}`} {
		f.Add([]byte(s))
	}
	if planOf(reflect.TypeFor[flat]()) == nil {
		f.Fatal("there is no plan")
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if !json.Valid(input) {
			_ = Decode(&aws.Request{Input: input}, &flat{})
			return
		}
		var got, want flat
		err := Decode(&aws.Request{Input: input}, &got)
		wantErr := json.NewDecoder(bytes.NewReader(input)).Decode(&want)
		if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", input, got, err, want, wantErr)
		}
	})
}
