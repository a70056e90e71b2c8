package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damages are done to a file's content; the generator chooses where. The one that has no function removes the file.
var damages = []struct {
	name string
	do   func(r *rand.Rand, b []byte) []byte
}{
	{"removed", nil},
	{"emptied", func(*rand.Rand, []byte) []byte { return nil }},
	{"cut", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }},
	{"without its last bytes", func(r *rand.Rand, b []byte) []byte { return b[:len(b)-1-r.IntN(min(len(b), 40))] }},
	{"with a bit flipped", func(r *rand.Rand, b []byte) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b }},
	{"with its last bytes flipped", func(r *rand.Rand, b []byte) []byte { b[len(b)-1-r.IntN(min(len(b), 40))] ^= 0xff; return b }},
	{"with zeros in it", func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b))
		clear(b[at:min(len(b), at+512)])
		return b
	}},
}

// TestTortureDamage damages the files of a data directory, one at a time. The server either does not start and says which file
// is damaged, or runs and answers right or with an error of its own whose reason its log tells; it never answers wrong,
// and never forgets.
func TestTortureDamage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	rounds, ends := 1, []string{"stopped", "killed"}
	if !full() {
		ends = ends[1:]
	}
	outcomes := map[string]int{}
	for _, end := range ends {
		k := newKept(t)
		if end == "killed" {
			k.kill()
		} else {
			k.terminate()
		}
		master := k.data
		files := k.files()
		for round := range rounds {
			for i, file := range files {
				for j, damage := range damages {
					if empty := strings.HasPrefix(file, "marker.") || file == "LOCK"; !full() && (i+j)%3 > 0 || empty && damage.do != nil {
						continue
					}
					r := rand.New(rand.NewPCG(uint64(round), uint64(i*100+j)))
					name := fmt.Sprintf("%s/%s %s/%d", end, file, damage.name, round)
					outcome := k.with(name, master, file, func(b []byte) []byte {
						if damage.do == nil {
							return nil
						}
						return damage.do(r, b)
					}, damage.do == nil)
					outcomes[kindOf(file)+" "+outcome]++
				}
			}
		}
	}
	var list []string
	for what, n := range outcomes {
		list = append(list, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(list)
	report(t, "damaged files", "%s", strings.Join(list, ", "))
}

// TestTortureDamagedCode damages a function's unpacked code in the cache, as a power cut may: it is noticed at the next start, and
// unpacked again.
func TestTortureDamagedCode(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	s, cache := newServer(t), t.TempDir()
	s.env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	s.start()
	createFunction(t, s, "kept", "def handler(event, context):\n    return 1\n")
	invoke := func() {
		t.Helper()
		var got int
		if err := s.call("lambda", map[string]string{"Content-Type": "application/json"}, "/2015-03-31/functions/kept/invocations", map[string]any{}, &got); err != nil || got != 1 {
			t.Errorf("the function answers %d, %v", got, err)
		}
	}
	invoke()
	files, err := filepath.Glob(filepath.Join(cache, "newel/code/*/code.py"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for _, text := range []string{"", "def handler(event, context):\n    return 2\n"} {
		s.terminate()
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.start()
		invoke()
	}
}

// kindOf says what a file of the data directory is.
func kindOf(file string) string {
	base := filepath.Base(file)
	switch {
	case strings.HasPrefix(file, "objects"):
		return "object"
	case strings.HasPrefix(base, "MANIFEST-"):
		return "MANIFEST"
	case strings.HasPrefix(base, "OPTIONS-"):
		return "OPTIONS"
	case filepath.Ext(base) == ".log":
		return "log"
	case strings.HasPrefix(base, "marker."):
		return "marker"
	case filepath.Ext(base) == ".sst":
		return "table"
	}
	return base
}

// named is how a message names a file.
func named(file string) string {
	base := filepath.Base(file)
	if kind, ok := strings.CutPrefix(base, "marker."); ok { // its number is not known
		kind, _, _ = strings.Cut(kind, ".")
		return "marker." + kind
	}
	return strings.TrimSuffix(base, ".sst")
}

// kept is a server with something of everything that it keeps.
type kept struct {
	*server
	data    string
	machine string
	sealed  string // a ciphertext of KMS
	objects map[string][]byte
}

const keptExecutions = 40

func newKept(t *testing.T) *kept {
	k := &kept{server: newServer(t), objects: map[string][]byte{}}
	k.data = k.dataDir()
	k.env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	k.start()
	var machine struct{ StateMachineArn string }
	k.must(k.states("CreateStateMachine", map[string]any{"name": "kept", "roleArn": "arn:aws:iam::000000000000:role/r",
		"definition": `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Parameters":{"got.$":"$.n"}}}}`}, &machine))
	k.machine = machine.StateMachineArn
	createFunction(t, k.server, "kept", "def handler(event, context):\n    return {'twice': event['n'] * 2}\n")
	k.must(k.json("dynamodb", "DynamoDB_20120810.CreateTable", map[string]any{"TableName": "kept", "BillingMode": "PAY_PER_REQUEST", "KeySchema": []any{map[string]any{"AttributeName": "k", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{map[string]any{"AttributeName": "k", "AttributeType": "S"}}}, nil))
	k.put("/kept", nil)
	k.put("/kept/small", []byte("a small object"))
	k.put("/kept/big", bytes.Repeat([]byte("a big object, "), 20000))
	var key struct{ KeyMetadata struct{ KeyID string } }
	k.must(k.json("kms", "TrentService.CreateKey", map[string]any{}, &key))
	var sealed struct{ CiphertextBlob string }
	k.must(k.json("kms", "TrentService.Encrypt", map[string]any{"KeyId": key.KeyMetadata.KeyID, "Plaintext": base64.StdEncoding.EncodeToString([]byte("a secret"))}, &sealed))
	k.sealed = sealed.CiphertextBlob
	k.fill(0, keptExecutions/2)
	k.terminate()
	k.start() // what was in the log is in tables now
	k.fill(keptExecutions/2, keptExecutions)
	if problems, failed := k.verify(true); len(problems)+failed > 0 {
		t.Fatalf("before any damage: %q", problems)
	}
	return k
}

func (k *kept) put(path string, body []byte) {
	k.t.Helper()
	_, err := k.object(http.MethodPut, path, body)
	k.must(err)
	if body != nil {
		k.objects[path] = body
	}
}

// fill runs executions and puts items.
func (k *kept) fill(from, to int) {
	k.t.Helper()
	for i := from; i < to; i++ {
		k.must(k.states("StartExecution", map[string]any{"stateMachineArn": k.machine, "name": fmt.Sprintf("e-%d", i), "input": fmt.Sprintf(`{"n":"%0200d"}`, i)}, nil))
		k.must(k.json("dynamodb", "DynamoDB_20120810.PutItem", map[string]any{"TableName": "kept", "Item": map[string]any{"k": map[string]any{"S": fmt.Sprint(i)}, "v": map[string]any{"S": fmt.Sprintf("%0300d", i)}}}, nil))
	}
	k.eventually("the executions end", func() bool {
		var d struct{ Status string }
		k.must(k.states("DescribeExecution", map[string]any{"executionArn": k.execution(to - 1)}, &d))
		return d.Status == "SUCCEEDED"
	})
}

func (k *kept) execution(i int) string {
	return fmt.Sprintf("%s:e-%d", strings.Replace(k.machine, ":stateMachine:", ":execution:", 1), i)
}

// files lists the files of the data directory.
func (k *kept) files() (list []string) {
	k.must(filepath.WalkDir(k.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Name() == "BALLAST" || d.Name() == ".gitignore" {
			return nil // they hold nothing
		}
		rel, err := filepath.Rel(k.data, path)
		list = append(list, rel)
		return err
	}))
	return list
}

// with runs the server on a copy of the data directory in which one file is damaged, and says what came of it.
func (k *kept) with(name, master, file string, damage func([]byte) []byte, remove bool) string {
	k.data = filepath.Join(k.t.TempDir(), "data")
	k.setData(k.data)
	defer os.RemoveAll(k.data)
	k.must(copyTree(master, k.data))
	path := filepath.Join(k.data, file)
	before, err := os.ReadFile(path)
	k.must(err)
	after := damage(bytes.Clone(before))
	switch {
	case remove:
		k.must(os.Remove(path))
	case bytes.Equal(before, after):
		return "unchanged"
	default:
		k.must(os.WriteFile(path, after, 0o600))
	}
	if !k.tryStart() {
		text := k.stderr.String()
		if !strings.Contains(text, named(file)) || strings.Contains(text, "goroutine ") {
			k.t.Errorf("%s: the server does not start, and says %.3000s", name, text)
		}
		return "refused"
	}
	defer k.kill()
	problems, failed := k.verify(kindOf(file) == "table" || kindOf(file) == "log")
	text := k.stderr.String()
	if len(problems) > 0 {
		k.t.Errorf("%s: %.300q\n%.2000s", name, problems[:min(3, len(problems))], text)
		return "WRONG"
	}
	if failed > 0 {
		if !strings.Contains(text, filepath.Base(file)) || strings.Contains(text, "goroutine ") {
			k.t.Errorf("%s: %d answers failed, and the server says %.3000s", name, failed, text)
		}
		return "told"
	}
	return "harmless"
}

// verify reads everything. problems are answers that are wrong; failed are those that say that they cannot be given.
// The function is invoked on request: that takes long.
func (k *kept) verify(function bool) (problems []string, failed int) {
	look := func(what, got, want string, err error) {
		var r *refused
		switch {
		case errors.As(err, &r) && r.status >= 500, err != nil && r == nil: // a body that breaks off is an error too
			failed++
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s: %v", what, err))
		case got != want:
			problems = append(problems, fmt.Sprintf("%s is %.100q", what, got))
		}
	}
	for i := range keptExecutions {
		var d struct{ Status, Output string }
		err := k.states("DescribeExecution", map[string]any{"executionArn": k.execution(i)}, &d)
		look(fmt.Sprintf("execution %d", i), d.Status+d.Output, fmt.Sprintf(`SUCCEEDED{"got":"%0200d"}`, i), err)
		var h struct{ Events []event }
		err = k.states("GetExecutionHistory", map[string]any{"executionArn": k.execution(i)}, &h)
		look(fmt.Sprintf("history %d", i), fmt.Sprint(len(h.Events)), "4", err)
		var item struct {
			Item struct{ V struct{ S string } }
		}
		err = k.json("dynamodb", "DynamoDB_20120810.GetItem", map[string]any{"TableName": "kept", "Key": map[string]any{"k": map[string]any{"S": fmt.Sprint(i)}}}, &item)
		look(fmt.Sprintf("item %d", i), item.Item.V.S, fmt.Sprintf("%0300d", i), err)
	}
	var list struct{ Executions []struct{ Name string } }
	err := k.states("ListExecutions", map[string]any{"stateMachineArn": k.machine, "maxResults": 1000}, &list)
	look("the list", fmt.Sprint(len(list.Executions)), fmt.Sprint(keptExecutions), err)
	for path, want := range k.objects {
		got, err := k.object(http.MethodGet, path, nil)
		look(path, string(got), string(want), err)
	}
	var plain struct{ Plaintext []byte }
	err = k.json("kms", "TrentService.Decrypt", map[string]any{"CiphertextBlob": k.sealed}, &plain)
	look("the secret", string(plain.Plaintext), "a secret", err)
	if !function {
		return problems, failed
	}
	var twice json.RawMessage
	err = k.call("lambda", map[string]string{"Content-Type": "application/json"}, "/2015-03-31/functions/kept/invocations", map[string]any{"n": 21}, &twice)
	look("the function", string(twice), `{"twice": 42}`, err)
	return problems, failed
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if d.Name() == "BALLAST" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	})
}
