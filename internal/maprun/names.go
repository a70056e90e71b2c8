package maprun

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/newel-run/newel/asl"
)

// runName is a map run's ARN taken apart: arn:P:states:R:A:mapRun:NAME/LABEL:UUID.
type runName struct {
	prefix  string // "arn:P:states:R:A:"
	machine string // "NAME/LABEL"
	uuid    string
}

// sharedDigits is the part of a run's UUID, with its hyphens, that its children's names begin with: 8 bytes.
const sharedDigits = 18

func parseRun(arn string) (runName, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 8 || parts[5] != "mapRun" || len(parts[7]) != 36 || !strings.Contains(parts[6], "/") {
		return runName{}, fmt.Errorf("%w: %s", ErrNotFound, arn)
	}
	if _, ok := uuidBytes(parts[7]); !ok {
		return runName{}, fmt.Errorf("%w: %s", ErrNotFound, arn)
	}
	return runName{strings.Join(parts[:5], ":") + ":", parts[6], parts[7]}, nil
}

func (n runName) machineARN() string { return n.prefix + "stateMachine:" + n.machine }

// account and region are the run's own.
func (n runName) account() string { return strings.Split(n.prefix, ":")[4] }
func (n runName) region() string  { return strings.Split(n.prefix, ":")[3] }

func uuidBytes(s string) (b [16]byte, ok bool) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 || len(s) != 36 {
		return b, false
	}
	return [16]byte(raw), true
}

// indexBits are those of a UUID's second half that are not its variant.
const indexBits = 1<<62 - 1

// indexMask is what a run's indexes are disguised with.
func indexMask(runUUID string) uint64 {
	sum := sha256.Sum256([]byte("index in " + runUUID))
	return binary.BigEndian.Uint64(sum[:])
}

// childName is the name of a run's n-th child: a UUID whose first half is the run's and whose second is the index, in
// disguise.
func childName(runUUID string, index uint64) string {
	b, _ := uuidBytes(runUUID)
	binary.BigEndian.PutUint64(b[8:], (index^indexMask(runUUID))&indexBits)
	return asl.FormatUUID(b, b[6]>>4)
}

// childIndex is the index that a child's name was made of.
func childIndex(runUUID, name string) (uint64, bool) {
	b, ok := uuidBytes(name)
	index := (binary.BigEndian.Uint64(b[8:]) ^ indexMask(runUUID)) & indexBits
	return index, ok && childName(runUUID, index) == name
}

// childARN is the ARN of a run's n-th child.
func (n runName) childARN(express bool, index uint64) string {
	name := childName(n.uuid, index)
	if !express {
		return n.prefix + "execution:" + n.machine + ":" + name
	}
	sum := sha256.Sum256([]byte(n.uuid + name))
	return n.prefix + "express:" + n.machine + ":" + name + ":" + asl.FormatUUID([16]byte(sum[:16]), 4)
}

// childSeed is the seed of a run's n-th child, which nobody can guess from its name.
func (r *record) childSeed(index uint64) [16]byte {
	h := hmac.New(sha256.New, r.Secret[:])
	h.Write(binary.BigEndian.AppendUint64(nil, index))
	return [16]byte(h.Sum(nil)[:16])
}
