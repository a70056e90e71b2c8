package maprun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/newel-run/newel/machine"
)

// maxResultFile is the size at which AWS begins another result file; a variable for tests.
var maxResultFile = int64(5 << 30)

// resultFile is a file in the manifest.
type resultFile struct {
	Key  string
	Size int64
}

// manifest lists the files that the results are in.
type manifest struct {
	DestinationBucket string
	MapRunArn         string
	ResultFiles       struct{ FAILED, PENDING, SUCCEEDED []resultFile }
}

// folder is where a run's files are, with the slash.
func (d *driver) folder() string {
	prefix := d.Spec.Writer.Prefix
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return prefix + d.uuid + "/"
}

// export writes the results to S3. The same run writes the same files again.
func (d *driver) export(ctx context.Context) error {
	m := manifest{DestinationBucket: d.Spec.Writer.Bucket, MapRunArn: d.record.ARN}
	var err error
	none := func(index uint64, r *Result) [][]byte { return [][]byte{d.entry(index, r)} }
	result := func(index uint64, r *Result) [][]byte { return d.transformed(d.Spec.Writer.Transformation, index, r) }
	succeeded := func(s machine.Status) bool { return s == machine.Succeeded }
	other := func(s machine.Status) bool { return s != machine.Succeeded }
	if m.ResultFiles.SUCCEEDED, err = d.exportKind(ctx, "SUCCEEDED", d.endedEntries(ctx, succeeded, result)); err != nil {
		return err
	}
	if m.ResultFiles.FAILED, err = d.exportKind(ctx, "FAILED", d.endedEntries(ctx, other, none)); err != nil {
		return err
	}
	if m.ResultFiles.PENDING, err = d.exportKind(ctx, "PENDING", d.pendingEntries(ctx)); err != nil {
		return err
	}
	_, err = d.put(ctx, d.folder()+"manifest.json", func(w io.Writer) error {
		_, err := w.Write(encode(&m))
		return err
	})
	return err
}

func (d *driver) endedEntries(ctx context.Context, want func(machine.Status) bool, texts func(uint64, *Result) [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := d.eachChild(ctx, want, func(index uint64, r *Result) error {
			for _, t := range texts(index, r) {
				if !yield(t, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

var errEnough = errors.New("maprun: nobody wants more entries")

// pendingEntries are the children that have not ended, nor will. A source that can no longer be read has none to show.
func (d *driver) pendingEntries(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if d.progress.Executions.ended() == d.progress.Children {
			return
		}
		in, err := d.openInputs(ctx)
		defer in.close()
		for err == nil {
			var b *batch
			if b, err = in.next(); err == nil && !d.progress.Finished.has(b.index) && !yield(d.pendingEntry(b), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) && !isVerdict(err) {
			yield(nil, err)
		}
	}
}

// exportKind writes the entries of one kind into files KIND_0, KIND_1, ... and says which.
func (d *driver) exportKind(ctx context.Context, kind string, entries iter.Seq2[[]byte, error]) ([]resultFile, error) {
	next, stop := iter.Pull2(entries)
	defer stop()
	files := []resultFile{}
	open, between, end, extension := "[", ",", "]", "json"
	if d.Spec.Writer.OutputType == "JSONL" {
		open, between, end, extension = "", "\n", "\n", "jsonl"
	}
	entry, err, more := next()
	for more && err == nil {
		name := fmt.Sprintf("%s%s_%d.%s", d.folder(), kind, len(files), extension)
		var size int64
		size, err = d.put(ctx, name, func(w io.Writer) error {
			sep, size := open, int64(0)
			for ; more && err == nil && (size == 0 || size+int64(len(entry)) < maxResultFile); entry, err, more = next() {
				n, err := w.Write(append([]byte(sep), entry...))
				if err != nil {
					return err
				}
				size, sep = size+int64(n), between
			}
			if err != nil {
				return err
			}
			_, err := io.WriteString(w, end)
			return err
		})
		files = append(files, resultFile{name, size})
	}
	return files, err
}

// put writes an object whose content is made while it is sent, and returns its size.
func (d *driver) put(ctx context.Context, name string, content func(io.Writer) error) (int64, error) {
	r, w := io.Pipe()
	counted := &countingWriter{w: w}
	made := make(chan error, 1)
	go func() {
		err := content(counted)
		w.CloseWithError(err)
		made <- err
	}()
	_, err := d.s3(ctx, "PutObject", map[string]string{"Bucket": d.Spec.Writer.Bucket, "Key": name, "ContentType": "application/json"}, r)
	r.CloseWithError(io.ErrClosedPipe)
	contentErr := <-made
	switch {
	case contentErr != nil && !errors.Is(contentErr, io.ErrClosedPipe):
		return 0, contentErr
	case err != nil:
		return 0, asFailure(errWriter, err)
	case contentErr != nil:
		return 0, fmt.Errorf("maprun: S3 has not read all of %s", name)
	}
	return counted.n, nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
