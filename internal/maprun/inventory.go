package maprun

import (
	"context"
	"encoding/json"
	"io"
	"strings"
)

// inventory reads the rows of all the files that the manifest of an S3 inventory lists, as if they were one CSV file.
type inventory struct {
	d       *driver
	ctx     context.Context
	bucket  string
	headers []string
	keys    []string
	current items
}

// openInventory reads the manifest of an S3 inventory.
func (d *driver) openInventory(ctx context.Context, body io.ReadCloser) (items, error) {
	defer body.Close()
	var manifest struct {
		DestinationBucket, FileFormat, FileSchema string
		Files                                     []struct{ Key string }
	}
	if err := json.NewDecoder(body).Decode(&manifest); err != nil {
		return nil, failed(errReader, "The manifest could not be parsed: %s", err)
	}
	if manifest.FileFormat != "CSV" {
		return nil, failed(errReader, "Newel does not read the inventory format %q yet, only CSV.", manifest.FileFormat)
	}
	in := &inventory{d: d, ctx: ctx, bucket: strings.TrimPrefix(manifest.DestinationBucket, "arn:aws:s3:::")}
	for name := range strings.SplitSeq(manifest.FileSchema, ",") {
		in.headers = append(in.headers, strings.TrimSpace(name))
	}
	for _, f := range manifest.Files {
		in.keys = append(in.keys, f.Key)
	}
	return in, nil
}

func (in *inventory) Close() error {
	if in.current != nil {
		return in.current.Close()
	}
	return nil
}

func (in *inventory) next() ([]byte, error) {
	for {
		if in.current == nil {
			if len(in.keys) == 0 {
				return nil, io.EOF
			}
			body, _, err := in.d.get(in.ctx, object{Bucket: in.bucket, Key: in.keys[0]})
			if err != nil {
				return nil, err
			}
			in.keys = in.keys[1:]
			in.current = newCSVItems(body, ',', in.headers)
		}
		item, err := in.current.next()
		if err != io.EOF {
			return item, err
		}
		in.current.Close()
		in.current = nil
	}
}
