package cfn

import (
	"strings"
	"testing"

	"github.com/newel-run/newel/asl/value"
	"github.com/newel-run/newel/internal/aws"
)

func TestCoerce(t *testing.T) {
	create := aws.MustModel("lambda").Operations["CreateFunction"].Input
	v, err := coerce(parsedObject(t, `{"FunctionName":5,"Timeout":"9","Publish":"True","Environment":{"Variables":{"A":1,"B":true}},"Architectures":["arm64"]}`), create, "")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"FunctionName":"5","Timeout":9,"Publish":true,"Environment":{"Variables":{"A":"1","B":"true"}},"Architectures":["arm64"]}`
	if got := string(value.Append(nil, v)); got != want {
		t.Errorf("got %s", got)
	}
	for text, problem := range map[string]string{
		`{"Timeout":"soon"}`:               `Timeout must be an integer, not "soon"`,
		`{"Publish":"maybe"}`:              `Publish must be true or false`,
		`{"Environment":{"Variable":{}}}`:  `Environment has no member "Variable"; supported: Variables`,
		`{"Architectures":"arm64"}`:        `Architectures must be a list`,
		`{"Environment":{"Variables":[]}}`: `Environment.Variables must be an object`,
	} {
		if _, err := coerce(parsedObject(t, text), create, ""); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
