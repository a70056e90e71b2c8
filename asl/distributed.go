package asl

import (
	"slices"
	"strings"

	"github.com/newel-run/newel/asl/jsonpath"
	"github.com/newel-run/newel/asl/value"
)

// distributedFields are the fields of a distributed Map beside those of every Map.
type distributedFields struct {
	toleratedCount, toleratedPercentage countField

	reader     *ItemReader // without what its paths lead to
	parameters *template   // of the reader
	maxItems   countField

	batch       bool
	batchItems  countField
	batchBytes  countField
	batchInput  *template
	writer      *ResultWriter
	destination *template // Parameters of the writer; nil: the results go into the state's output
}

// countField is a number of the definition, or a path to a number or to a text that is one, or a JSONata expression.
type countField struct {
	number value.Number // "" if there is none
	name   string       // of the Path field or the expression's
	path   *jsonpath.Path
	query  *query
}

func (f *countField) given() bool { return f.number != "" || f.path != nil || f.query != nil }

// AWS's bounds.
const (
	maxLabel      = 40
	maxItems      = 100_000_000
	maxBatchBytes = 262_144
	maxPointer    = 2_000
)

// distributedFields reads what has an effect in a distributed Map only. AWS takes Label and the tolerated failures in an
// inline Map too, where they do nothing.
func (c *compiler) distributedFields(p place, s *State) {
	p.atMostOne("ToleratedFailureCount", "ToleratedFailureCountPath")
	p.atMostOne("ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
	if !s.Map.Distributed && p.count([]string{"ItemReader", "ItemBatcher", "ResultWriter"}) > 0 {
		p.fail("The ItemReader, ItemBatcher and ResultWriter fields are not supported for INLINE maps")
	}
	d := &distributedFields{}
	if f, ok := p.field("ToleratedFailurePercentage"); ok && !(s.Language == JSONata && f.kind == '"') && f.is('0', "Number") {
		if n := f.scalar.(value.Number).Float64(); n < 0 || n > 100 {
			f.fail("ToleratedFailurePercentage must be between 0 and 100.")
		}
	}
	d.toleratedCount = p.countField(s.Language, "ToleratedFailureCount", 0, maxAttempts)
	d.toleratedPercentage = p.countPath("ToleratedFailurePercentage")
	if f, ok := p.field("ToleratedFailurePercentage"); ok {
		switch {
		case f.kind == '0':
			d.toleratedPercentage.number = f.scalar.(value.Number)
		case s.Language == JSONata && f.kind == '"':
			d.toleratedPercentage.name, d.toleratedPercentage.query = f.name, f.onlyQuery(onInput, "Number")
		}
	}
	c.label(p, s)
	if !s.Map.Distributed {
		return
	}
	s.Map.distributed = d
	if f, ok := p.field("ItemReader"); ok && f.is('{', "Object") {
		f.itemReader(s.Language, d)
	}
	if f, ok := p.field("ItemBatcher"); ok && f.is('{', "Object") {
		f.itemBatcher(s.Language, d)
	}
	if f, ok := p.field("ResultWriter"); ok && f.is('{', "Object") {
		f.resultWriter(s.Language, d)
	}
}

// label reads Label. A distributed Map without one gets one that its name decides.
func (c *compiler) label(p place, s *State) {
	f, ok := p.field("Label")
	if !ok {
		if s.Map.Distributed {
			s.Map.Label = automaticLabel(s.Name)
		}
		return
	}
	s.Map.Label, ok = f.text()
	switch {
	case !ok:
	case s.Map.Label == "":
		f.fail("Value cannot be empty")
	case len([]rune(s.Map.Label)) > maxLabel:
		f.fail("Maximum length is %d", maxLabel)
	case strings.ContainsAny(s.Map.Label, "<>{}[]?*\"#%\\^|~`$&,;:/") || strings.ContainsFunc(s.Map.Label, notInLabel):
		f.fail("Label contains invalid characters")
	case c.labels[s.Map.Label]:
		f.report(CodeDuplicateLabel, "Duplicate Label: "+s.Map.Label)
	}
	c.labels[s.Map.Label] = true
}

func notInLabel(r rune) bool { return r <= ' ' || r >= 0x7f && r <= 0x9f }

// countField reads a whole number, an expression for it in JSONata, or its Path twin.
func (p place) countField(language QueryLanguage, name string, least, most int64) countField {
	field := p.countPath(name)
	f, ok := p.field(name)
	switch {
	case !ok:
	case language == JSONata && f.kind == '"':
		field.name, field.query = name, f.onlyQuery(onInput, "Integer")
	default:
		if _, ok := f.integer(least, most); ok {
			field.number = f.scalar.(value.Number)
		}
	}
	return field
}

func (p place) countPath(name string) countField {
	f, ok := p.field(name + "Path")
	if !ok {
		return countField{}
	}
	return countField{name: f.name, path: f.referencePath()}
}

// arguments reads Parameters, or Arguments in JSONata.
func (p place) arguments(language QueryLanguage) (place, bool) {
	if language == JSONata {
		return p.field("Arguments")
	}
	return p.field("Parameters")
}

// argumentsTemplate reads an object with holes; in JSONata an expression may stand for all of it.
func (p place) argumentsTemplate(language QueryLanguage) *template {
	if language == JSONata && p.kind == '"' || p.is('{', "Object") {
		return p.template(language, onInput)
	}
	return nil
}

func argumentsName(language QueryLanguage) string {
	if language == JSONata {
		return "Arguments"
	}
	return "Parameters"
}

// s3Action reads a Resource that must be one of the S3 actions.
func (p place) s3Action(actions ...string) string {
	if !p.required("Resource") {
		return ""
	}
	f, _ := p.field("Resource")
	text, ok := f.text()
	if !ok {
		return ""
	}
	i, ok := ParseResource(text)
	if !ok || i.Service != "s3" || i.SDK || i.Pattern != RequestResponse || !slices.Contains(actions, i.Action) {
		f.fail("%s", NotRecognized(text))
		return ""
	}
	return i.Action
}

func (p place) itemReader(language QueryLanguage, d *distributedFields) {
	p.only("Resource", "ReaderConfig", argumentsName(language))
	d.reader = &ItemReader{Action: p.s3Action("getObject", "listObjectsV2")}
	if p.required(argumentsName(language)) {
		f, _ := p.arguments(language)
		d.parameters = f.argumentsTemplate(language)
	}
	if f, ok := p.field("ReaderConfig"); ok && f.is('{', "Object") {
		f.readerConfig(language, d)
	} else if !ok && d.reader.Action == "getObject" {
		p.required("ReaderConfig")
	}
}

func (p place) readerConfig(language QueryLanguage, d *distributedFields) {
	p.only("InputType", "ManifestType", "Transformation", "CSVDelimiter", "CSVHeaderLocation", "CSVHeaders", "ItemsPointer", "MaxItems", "MaxItemsPath")
	r := d.reader
	if f, ok := p.field("ManifestType"); ok {
		if text, ok := f.oneOf("ATHENA_DATA", "S3_INVENTORY"); ok && text == "ATHENA_DATA" {
			f.later("ManifestType 'ATHENA_DATA'")
		}
	}
	if f, ok := p.field("Transformation"); ok {
		if text, ok := f.oneOf("NONE", "LOAD_AND_FLATTEN"); ok && text == "LOAD_AND_FLATTEN" {
			f.later("Transformation 'LOAD_AND_FLATTEN'")
		}
	}
	if f, ok := p.field("InputType"); ok {
		if r.InputType, ok = f.oneOf("CSV", "JSON", "MANIFEST", "JSONL", "PARQUET"); ok && r.InputType == "PARQUET" {
			f.later("InputType 'PARQUET'")
		}
	} else if r.Action == "getObject" {
		p.required("InputType")
	}
	p.csvConfig(r)
	if f, ok := p.field("ItemsPointer"); ok {
		if r.ItemsPointer, ok = f.text(); ok && (len(r.ItemsPointer) >= maxPointer || r.ItemsPointer != "" && r.ItemsPointer[0] != '/') {
			f.fail("Value must be a valid JSON Pointer.")
		}
	}
	p.atMostOne("MaxItems", "MaxItemsPath")
	d.maxItems = p.countField(language, "MaxItems", 0, maxItems)
}

// delimiters are the values of CSVDelimiter.
var delimiters = map[string]byte{"COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

func (p place) csvConfig(r *ItemReader) {
	r.Delimiter = ','
	if f, ok := p.field("CSVDelimiter"); ok {
		if text, ok := f.oneOf("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"); ok {
			r.Delimiter = delimiters[text]
		}
	}
	location, ok := p.field("CSVHeaderLocation")
	if !ok {
		if r.InputType == "CSV" {
			p.required("CSVHeaderLocation")
		}
		return
	}
	text, _ := location.oneOf("FIRST_ROW", "GIVEN")
	headers, given := p.field("CSVHeaders")
	switch {
	case text == "GIVEN" && !given:
		p.required("CSVHeaders")
	case text == "FIRST_ROW" && given:
		p.fail("Field 'CSVHeaders' is not supported")
	case given && headers.is('[', "Array"):
		r.Headers = []string{}
		for i := range headers.elems {
			header, _ := headers.element(i).text()
			r.Headers = append(r.Headers, header)
		}
		if len(r.Headers) == 0 {
			headers.fail("Value cannot be empty")
		}
	}
}

func (p place) itemBatcher(language QueryLanguage, d *distributedFields) {
	p.only("MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", "BatchInput")
	p.atMostOne("MaxItemsPerBatch", "MaxItemsPerBatchPath")
	p.atMostOne("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath")
	if p.count([]string{"MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"}) == 0 {
		p.fail("These fields are required: [MaxItemsPerBatch, MaxInputBytesPerBatch]")
	}
	d.batch = true
	d.batchItems = p.countField(language, "MaxItemsPerBatch", 1, maxItems)
	d.batchBytes = p.countField(language, "MaxInputBytesPerBatch", 1, maxBatchBytes)
	if f, ok := p.field("BatchInput"); ok {
		d.batchInput = f.argumentsTemplate(language)
	}
}

func (p place) resultWriter(language QueryLanguage, d *distributedFields) {
	p.only("Resource", "WriterConfig", argumentsName(language))
	if len(p.members) == 0 {
		p.fail("Value cannot be empty")
		return
	}
	d.writer = &ResultWriter{Transformation: "COMPACT", OutputType: "JSON"}
	if p.node.member("Resource") != nil {
		p.s3Action("putObject")
		d.writer.Transformation = "NONE"
		if p.required(argumentsName(language)) {
			f, _ := p.arguments(language)
			d.destination = f.argumentsTemplate(language)
		}
	} else {
		if _, ok := p.arguments(language); ok {
			p.required("Resource")
		}
		p.required("WriterConfig")
	}
	f, ok := p.field("WriterConfig")
	if !ok || !f.is('{', "Object") {
		return
	}
	f.only("Transformation", "OutputType")
	if t, ok := f.field("Transformation"); ok {
		d.writer.Transformation, _ = t.oneOf("NONE", "COMPACT", "FLATTEN")
	}
	if t, ok := f.field("OutputType"); ok {
		d.writer.OutputType, _ = t.oneOf("JSON", "JSONL")
	}
}
