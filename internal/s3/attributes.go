package s3

import (
	"slices"

	"github.com/newel-run/newel/internal/aws"
	"github.com/newel-run/newel/internal/service"
)

func getObjectAttributes(c *service.Context, b *box) (any, error) {
	var in struct {
		owned
		VersionId                  string
		ObjectAttributes           []string
		MaxParts, PartNumberMarker *int
	}
	if err := service.Decode(c.Request, &in); err != nil {
		return nil, err
	}
	if len(in.ObjectAttributes) == 0 {
		return nil, invalidArgument("x-amz-object-attributes", "", "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	o, err := b.version(in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"LastModified": o.Modified / 1000}
	for _, name := range in.ObjectAttributes {
		switch name {
		case "ETag":
			out["ETag"] = o.ETag // without quotes, unlike elsewhere
		case "ObjectSize":
			out["ObjectSize"] = o.Size
		case "StorageClass":
			out["StorageClass"] = o.class()
		case "Checksum":
			if o.Sum != nil {
				sum := map[string]any{}
				o.checksum(sum)
				out["Checksum"] = sum
			}
		case "ObjectParts":
			if o.Parts == 0 {
				continue
			}
			if out["ObjectParts"], err = b.attributeParts(in.Key, o, in.MaxParts, in.PartNumberMarker); err != nil {
				return nil, err
			}
		default:
			return nil, invalidArgument("x-amz-object-attributes", name, "Invalid attribute name specified")
		}
	}
	return &aws.Output{Value: out}, nil
}

func (b *box) attributeParts(key string, o *object, limit, marker *int) (any, error) {
	all, err := b.pieces(key, o)
	if err != nil {
		return nil, err
	}
	n, after := listMax, 0
	if limit != nil {
		n = min(*limit, listMax)
	}
	if marker != nil {
		after = *marker
	}
	out := map[string]any{"TotalPartsCount": o.Parts, "PartNumberMarker": after, "MaxParts": n, "IsTruncated": false}
	from, _ := slices.BinarySearchFunc(all, after+1, func(p piece, n int) int { return p.Number - n })
	page := all[from:]
	if len(page) > n {
		page = page[:n]
		out["IsTruncated"] = true
	}
	if len(page) > 0 {
		out["NextPartNumberMarker"] = page[len(page)-1].Number
	}
	if o.Sum == nil || o.Sum.Type != "COMPOSITE" {
		return out, nil // S3 lists the parts of objects with checksums of the parts only
	}
	var parts []map[string]any
	for _, p := range page {
		parts = append(parts, map[string]any{"PartNumber": p.Number, "Size": p.Size, "Checksum" + string(o.Sum.Algorithm): p.Sum})
	}
	out["Parts"] = parts
	return out, nil
}
