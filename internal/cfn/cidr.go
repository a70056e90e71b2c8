package cfn

import (
	"fmt"
	"math/big"
	"net/netip"
	"strconv"

	"github.com/newel-run/newel/asl/value"
)

// cidr is Fn::Cidr: count blocks of 2^bits addresses each, cut off the beginning of a block.
func cidr(v value.Value) (value.Value, error) {
	args, _ := v.(value.Array)
	if len(args) < 2 || len(args) > 3 {
		return nil, fmt.Errorf("Fn::Cidr needs ipBlock, count and cidrBits")
	}
	block, err := netip.ParsePrefix(textOf(args[0]))
	if err != nil {
		return nil, fmt.Errorf("Template error: Fn::Cidr: %q is no CIDR block", textOf(args[0]))
	}
	count, err := strconv.Atoi(textOf(args[1]))
	if err != nil || count < 1 || count > 256 {
		return nil, fmt.Errorf("Template error: Fn::Cidr: count must be between 1 and 256, not %s", textOf(args[1]))
	}
	width := block.Addr().BitLen()
	bits := 8
	if len(args) == 3 {
		if bits, err = strconv.Atoi(textOf(args[2])); err != nil || bits < 1 || bits > width {
			return nil, fmt.Errorf("Template error: Fn::Cidr: cidrBits must be between 1 and %d, not %s", width, textOf(args[2]))
		}
	}
	room := width - block.Bits() - bits
	if room < 0 || room < 9 && count > 1<<room {
		return nil, fmt.Errorf("Template error: Fn::Cidr: %s has no room for %d blocks of %d bits", block, count, bits)
	}
	start := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := value.Array{}
	for range count {
		addr, _ := netip.AddrFromSlice(start.FillBytes(make([]byte, width/8)))
		out = append(out, netip.PrefixFrom(addr, width-bits).String())
		start.Add(start, step)
	}
	return out, nil
}
