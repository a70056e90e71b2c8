package postgres

import "github.com/jackc/pgx/v5"

const (
	putRows = `INSERT INTO newel_row (partition, key, value) SELECT * FROM unnest($1::int4[], $2::bytea[], $3::bytea[])
		ON CONFLICT (partition, key) DO UPDATE SET value = excluded.value`
	deleteRows = `DELETE FROM newel_row USING unnest($1::int4[], $2::bytea[]) AS gone (partition, key)
		WHERE newel_row.partition = gone.partition AND newel_row.key = gone.key`
	deleteUpTo = `DELETE FROM newel_row WHERE partition = $1 AND key >= $2 AND key < $3`
	deleteOn   = `DELETE FROM newel_row WHERE partition = $1 AND key >= $2`
)

// statements are a group as one SQL transaction, sent at once. Rows go together, each with its last value, up to the next
// deletion of a range.
func (c *committer) statements(g *group) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	b.Queue(fenceCommit, c.lease.owner, c.lease.epoch, int64(g.number), c.lease.length.Milliseconds())
	var s segment
	for _, w := range g.writes {
		p := int32(w.part.id)
		if len(w.layer.spans) > 0 {
			s.flush(b)
		}
		for _, d := range w.layer.spans {
			if d.hi == nil {
				b.Queue(deleteOn, p, d.lo)
			} else {
				b.Queue(deleteUpTo, p, d.lo, d.hi)
			}
		}
		w.layer.each(func(r row) { s.add(p, r) })
	}
	s.flush(b)
	b.Queue(`COMMIT`)
	return b
}

// segment is rows that no deletion of a range divides.
type segment struct {
	rows  []row
	parts []int32
	index map[string]int
	name  []byte
}

func (s *segment) add(p int32, r row) {
	s.name = append(append(s.name[:0], byte(p>>8), byte(p)), r.key...)
	if at, again := s.index[string(s.name)]; again {
		s.rows[at] = r
		return
	}
	if s.index == nil {
		s.index = map[string]int{}
	}
	s.index[string(s.name)] = len(s.rows)
	s.rows, s.parts = append(s.rows, r), append(s.parts, p)
}

func (s *segment) flush(b *pgx.Batch) {
	var parts, goneParts []int32
	var keys, values, gone [][]byte
	for i, r := range s.rows {
		if r.deleted {
			goneParts, gone = append(goneParts, s.parts[i]), append(gone, r.key)
			continue
		}
		parts, keys, values = append(parts, s.parts[i]), append(keys, r.key), append(values, r.value)
	}
	if len(keys) > 0 {
		b.Queue(putRows, parts, keys, values)
	}
	if len(gone) > 0 {
		b.Queue(deleteRows, goneParts, gone)
	}
	s.rows, s.parts = s.rows[:0], s.parts[:0]
	clear(s.index)
}
