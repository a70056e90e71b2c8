package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Disks and hands change bytes. So a file ends with the sums of its frames: CRC-32C (little endian) of every FrameBytes of
// it, the last one shorter. They are looked at when a frame is read, before any of it is given away. The caller knows how
// many bytes the file has without them. A file without sums is of an earlier version and is taken as it is.
const sumBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged is the error of a file that is not what was written.
var ErrDamaged = errors.New("files: the file is damaged")

func frames(size int64) int64 { return (size + FrameBytes - 1) / FrameBytes }

// summer works out the sums of what is written.
type summer struct {
	sums  []byte
	sum   uint32
	frame int // bytes of the frame
}

func (s *summer) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), FrameBytes-s.frame)
		s.sum = crc32.Update(s.sum, castagnoli, p[:n])
		s.frame += n
		p = p[n:]
		if s.frame == FrameBytes {
			s.endFrame()
		}
	}
}

func (s *summer) endFrame() {
	s.sums = binary.LittleEndian.AppendUint32(s.sums, s.sum)
	s.sum, s.frame = 0, 0
}

// end returns all sums.
func (s *summer) end() []byte {
	if s.frame > 0 {
		s.endFrame()
	}
	return s.sums
}

// sumsAtOnce is how many sums are read at a time.
const sumsAtOnce = 4096

// checked reads a file with its sums.
type checked struct {
	f     *os.File
	size  int64
	frame int64  // the next one
	sums  []byte // of the frames from that one on, as far as they were read
	skip  int    // of that frame
	buf   []byte
	ready []byte
}

// OpenChecked reads a file of size bytes from an offset to its end.
func OpenChecked(f *os.File, size, offset int64) (io.Reader, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch st.Size() {
	case size:
		_, err := f.Seek(offset, io.SeekStart)
		return f, err
	case size + frames(size)*sumBytes:
	default:
		return nil, fmt.Errorf("%w: %s has %d bytes, of which %d should be the content's", ErrDamaged, f.Name(), st.Size(), size)
	}
	return &checked{f: f, size: size, frame: offset / FrameBytes, skip: int(offset % FrameBytes)}, nil
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	if err := c.Prime(); err != nil {
		return 0, err
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// Prime reads the next frame unless there is something of it: what is wrong with the beginning is known before any of it is used.
func (c *checked) Prime() error {
	for len(c.ready) == 0 {
		if c.frame*FrameBytes >= c.size {
			return io.EOF
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checked) next() error {
	if len(c.sums) == 0 {
		c.sums = make([]byte, min(sumsAtOnce, frames(c.size)-c.frame)*sumBytes)
		if _, err := c.f.ReadAt(c.sums, c.size+c.frame*sumBytes); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, c.f.Name(), err)
		}
	}
	at := c.frame * FrameBytes
	if c.buf == nil {
		c.buf = make([]byte, min(FrameBytes, c.size-at))
	}
	frame := c.buf[:min(FrameBytes, c.size-at)]
	if _, err := c.f.ReadAt(frame, at); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, c.f.Name(), err)
	}
	if crc32.Checksum(frame, castagnoli) != binary.LittleEndian.Uint32(c.sums) {
		return fmt.Errorf("%w: %s: the %d bytes from %d on have changed", ErrDamaged, c.f.Name(), len(frame), at)
	}
	c.ready = frame[min(c.skip, len(frame)):]
	c.sums, c.skip = c.sums[sumBytes:], 0
	c.frame++
	return nil
}
