package config

import (
	"fmt"
	"math/big"
	"net"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

func prefixParameter() function.Parameter {
	return function.Parameter{Name: "prefix", Type: cty.String}
}

// parsePrefix reads a network. Bits of the host are not part of it.
func parsePrefix(v cty.Value) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(v.AsString())
	if err != nil {
		return prefix, function.NewArgErrorf(0, "%q is no network as 10.0.0.0/24", v.AsString())
	}
	return prefix.Masked(), nil
}

func wholeArgument(i int, v cty.Value) (int64, error) {
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact {
		return 0, function.NewArgErrorf(i, "it must be a whole number")
	}
	return n, nil
}

// cidrHostFunction is the n-th address of a network; a negative n counts from its end.
func cidrHostFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{prefixParameter(), {Name: "host", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := parsePrefix(args[0])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			n, err := wholeArgument(1, args[1])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			host, err := cidrHost(prefix, n)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(1, err)
			}
			return cty.StringVal(host.String()), nil
		},
	})
}

func cidrHost(prefix netip.Prefix, n int64) (netip.Addr, error) {
	bits := prefix.Addr().BitLen() - prefix.Bits()
	size := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	offset := big.NewInt(n)
	if n < 0 {
		offset.Add(offset, size)
	}
	if offset.Sign() < 0 || offset.Cmp(size) >= 0 {
		return netip.Addr{}, fmt.Errorf("%s has no host %d", prefix, n)
	}
	return plus(prefix.Addr(), offset), nil
}

// plus is the address that lies offset after another one, in the same family.
func plus(base netip.Addr, offset *big.Int) netip.Addr {
	raw := base.AsSlice()
	sum := new(big.Int).Add(new(big.Int).SetBytes(raw), offset)
	address, _ := netip.AddrFromSlice(sum.FillBytes(raw))
	return address
}

// cidrSubnetFunction is the n-th network that newbits more bits make of a network.
func cidrSubnetFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{prefixParameter(), {Name: "newbits", Type: cty.Number}, {Name: "number", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := parsePrefix(args[0])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			bits, err := wholeArgument(1, args[1])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			n, err := wholeArgument(2, args[2])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			subnet, err := cidrSubnet(prefix, bits, n)
			return cty.StringVal(subnet.String()), err
		},
	})
}

func cidrSubnet(prefix netip.Prefix, newBits, n int64) (netip.Prefix, error) {
	free := prefix.Addr().BitLen() - prefix.Bits()
	if newBits < 0 || newBits > int64(free) {
		return prefix, function.NewArgErrorf(1, "%s has %d bits left to divide", prefix, free)
	}
	index := big.NewInt(n)
	if n < 0 || index.BitLen() > int(newBits) {
		return prefix, function.NewArgErrorf(2, "%d more bits make no network %d", newBits, n)
	}
	offset := index.Lsh(index, uint(free)-uint(newBits))
	return netip.PrefixFrom(plus(prefix.Addr(), offset), prefix.Bits()+int(newBits)), nil
}

// cidrNetmaskFunction is the mask of an IPv4 network, as 255.255.255.0.
func cidrNetmaskFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{prefixParameter()},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := parsePrefix(args[0])
			if err == nil && !prefix.Addr().Is4() {
				err = function.NewArgErrorf(0, "only IPv4 networks have masks")
			}
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			return cty.StringVal(net.IP(net.CIDRMask(prefix.Bits(), 32)).String()), nil
		},
	})
}

// cidrContainsFunction says whether an address, or a whole network, is in a network.
func cidrContainsFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{prefixParameter(), {Name: "contained", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := parsePrefix(args[0])
			if err != nil {
				return cty.UnknownVal(cty.Bool), err
			}
			text := args[1].AsString()
			if address, err := netip.ParseAddr(text); err == nil {
				return cty.BoolVal(prefix.Contains(address)), nil
			}
			inner, err := netip.ParsePrefix(text)
			if err != nil {
				return cty.UnknownVal(cty.Bool), function.NewArgErrorf(1, "%q is neither an address nor a network", text)
			}
			return cty.BoolVal(prefix.Contains(inner.Masked().Addr()) && inner.Bits() >= prefix.Bits()), nil
		},
	})
}
