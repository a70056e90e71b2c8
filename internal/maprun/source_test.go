package maprun_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/newel-run/newel/machine"
)

// reader is a machine whose distributed Map reads the object k and whose children hand their items on.
func reader(config string) string {
	return strings.Replace(distributed("EXPRESS", `"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":`+config+`,"Parameters":{"Bucket":"b","Key.$":"$.k"}},`),
		`"Parameters":{"item.$":"$"},`, `"Parameters":{"in.$":"$"},"ResultSelector":{"i.$":"$.in"},"OutputPath":"$.i",`, 1)
}

const body = "Value1,Value2,Value3\nValue4,Value5,Value6\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n"

func TestSources(t *testing.T) {
	for _, c := range []struct{ name, config, content, want string }{
		// As AWS has answered them.
		{"given headers", `{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["H1","H2","H3"]}`, body,
			`[{"H1":"Value1","H2":"Value2","H3":"Value3"},{"H1":"Value4","H2":"Value5","H3":"Value6"},{"H1":"","H2":"","H3":""},{"H1":"true","H2":"1","H3":"'HelloWorld'"},{"H1":"Null","H2":"None","H3":""},{"H1":"   ","H2":"","H3":""}]`},
		{"long rows", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "H1,\nValue4,Value5,Value6\n,,,\n", `[{"":"Value5","H1":"Value4"},{"":"","H1":""}]`},
		{"order of members", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "0,True,{}\na,b,c\n", `[{"0":"a","{}":"c","True":"b"}]`},
		{"duplicate headers", `{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["H1","H1"]}`, body, `States.ItemReaderFailed CSV headers cannot contain duplicates.`},
		{"no list", `{"InputType":"JSON"}`, `{"Hello": "world"}`, `States.ItemReaderFailed Attempting to map over non-iterable node.`},
		{"compact items", `{"InputType":"JSON"}`, "[ {\"a\": [1.50, \"x y\"]},\n 2 ]", `[{"a":[1.50,"x y"]},2]`},
		{"all items", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","MaxItems":0}`, "C\n1\n2\n", `[{"C":"1"},{"C":"2"}]`},

		{"quotes", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "A,B\r\n\"x, \"\"y\"\"\",\"line 1\nline 2\"\r\n\"\",\"\\\"q\\\"\"\r\n\r\nd\\e,a \"b\" c", `[{"A":"x, \"y\"","B":"line 1\nline 2"},{"A":"","B":"\"q\""},{"A":"de","B":"a \"b\" c"}]`},
		{"byte order mark", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "\xef\xbb\xbfA\nä\n", `[{"A":"ä"}]`},
		{"pipe", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","CSVDelimiter":"PIPE"}`, "A|B\n1,2|3\n", `[{"A":"1,2","B":"3"}]`},
		{"tab, first two", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","CSVDelimiter":"TAB","MaxItems":2}`, "A\tB\n1\t2\n3\t4\n5\t6\n", `[{"A":"1","B":"2"},{"A":"3","B":"4"}]`},
		{"no header", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "", `States.ItemReaderFailed The CSV file has no header.`},
		{"only a header", `{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}`, "A,B", `[]`},
		{"lines", `{"InputType":"JSONL"}`, "{\"a\": 1}\n\n[2]\r\n\"x\"", `[{"a":1},[2],"x"]`},
		{"bad line", `{"InputType":"JSONL"}`, "1\n{", `States.ItemReaderFailed Line 2 of the JSONL file is not valid JSON.`},
		{"pointer", `{"InputType":"JSON","ItemsPointer":"/a~1b/1/c"}`, `{"x":[0],"a/b":[{"c":[9]},{"d":{"c":1},"c":[1,2]}]}`, `[1,2]`},
		{"pointer to nowhere", `{"InputType":"JSON","ItemsPointer":"/a/7"}`, `{"a":[1]}`, `States.ItemReaderFailed The ItemsPointer /a/7 leads nowhere in the JSON file.`},
		{"cut short", `{"InputType":"JSON"}`, `[1,2`, `States.ItemReaderFailed The JSON file could not be parsed`},
		{"negative", `{"InputType":"JSON","MaxItemsPath":"$.n"}`, `[1]`, `States.ItemReaderFailed field MaxItems must be positive`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.s3.put("k", c.content)
			d := w.end(w.start(reader(c.config), `{"k":"k","n":-1}`))
			if name, cause, fails := strings.Cut(c.want, " "); fails && strings.HasPrefix(name, "States.") {
				wantFailure(t, d, name, cause)
				return
			}
			wantOutput(t, d, c.want)
		})
	}
}

func TestPackedObject(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(`[1,2]`))
	z.Close()
	w.s3.put("items.json.gz", b.String())
	wantOutput(t, w.end(w.start(reader(`{"InputType":"JSON"}`), `{"k":"items.json.gz"}`)), `[1,2]`)
}

func TestMissingObject(t *testing.T) {
	w := newWorld(t)
	e := w.start(reader(`{"InputType":"JSON"}`), `{"k":"none"}`)
	wantFailure(t, w.end(e), "States.ItemReaderFailed", "The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey;")
	want := []string{"3<-2 MapStateStarted", "4<-3 MapRunStarted", "5<-4 MapRunFailed", "6<-5 MapStateFailed", "7<-6 ExecutionFailed"}
	if got := w.history(e)[2:]; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("history %v", got)
	}
}

// TestListing lists more than a page, and reads the items again after a crash, though the bucket has changed.
func TestListing(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.s3.put(fmt.Sprintf("in/%d", i), strings.Repeat("x", i))
	}
	w.s3.put("other", "")
	definition := distributed("EXPRESS", `"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","ReaderConfig":{"MaxItems":4},"Parameters":{"Bucket":"b","Prefix":"in/"}},
		"ItemSelector":{"k.$":"$$.Map.Item.Value.Key","n.$":"$$.Map.Item.Value.Size","s.$":"$$.Map.Item.Source"},`)
	item := func(i int) string { return fmt.Sprintf(`{"item":{"k":"in/%d","n":%d,"s":"S3://b"}}`, i, i) }
	wantOutput(t, w.end(w.start(definition, `{}`)), "["+item(0)+","+item(1)+","+item(2)+","+item(3)+"]")
}

func TestListedItem(t *testing.T) {
	w := newWorld(t)
	w.s3.put("a&b", "xyz")
	definition := distributed("EXPRESS", `"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"b"}},`)
	wantOutput(t, w.end(w.start(definition, `{}`)), `[{"item":{"Etag":"\"d16fb36f0911f878998c136191af705e\"","Key":"a&b","LastModified":1700000000,"Size":3,"StorageClass":"STANDARD"}}]`)
}

func TestInventory(t *testing.T) {
	w := newWorld(t)
	w.s3.put("m/manifest.json", `{"sourceBucket":"s","destinationBucket":"arn:aws:s3:::d","fileFormat":"CSV","fileSchema":"Bucket, Key, Size","files":[{"key":"d/1.csv"},{"key":"d/2.csv"}]}`)
	w.s3.put("d/1.csv", "\"s\",\"k1\",\"1\"\n\"s\",\"k2\",\"2\"\n")
	w.s3.put("d/2.csv", "\"s\",\"k3\",\"3\"\n")
	d := w.end(w.start(reader(`{"InputType":"MANIFEST","ManifestType":"S3_INVENTORY"}`), `{"k":"m/manifest.json"}`))
	if d.Root.Status() != machine.Succeeded || strings.Count(d.Output.String(), `"Key":"k`) != 3 {
		t.Errorf("status %v, output %v", d.Root.Status(), d.Output)
	}
}

// TestBatchesByBytes fills batches as far as bytes allow, and never leaves an item out.
func TestBatchesByBytes(t *testing.T) {
	w := newWorld(t)
	w.s3.put("k", `["aaaa","bbbb","cccccccccccccccccccccccccccccccccccccccc","d"]`)
	definition := strings.Replace(reader(`{"InputType":"JSON"}`), `"ItemReader"`, `"ItemBatcher":{"MaxInputBytesPerBatch":26},"ItemReader"`, 1)
	wantOutput(t, w.end(w.start(definition, `{"k":"k"}`)), `[{"Items":["aaaa","bbbb"]},{"Items":["cccccccccccccccccccccccccccccccccccccccc"]},{"Items":["d"]}]`)
}
