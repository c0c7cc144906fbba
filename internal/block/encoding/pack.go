package encoding

import "encoding/binary"

// packGroup writes groups as long as there are any and dst has slack behind
// them. It returns the number of values.
func packGroup[W narrow, T packable](dst []byte, values []T) int {
	var stand W
	w := len(stand)
	all := len(values)
	for len(values) >= groupSize && len(dst) >= w+slack {
		v := (*[groupSize]T)(values)
		a := uint64(v[0]) | uint64(v[1])<<w
		b := uint64(v[2]) | uint64(v[3])<<w
		c := uint64(v[4]) | uint64(v[5])<<w
		d := uint64(v[6]) | uint64(v[7])<<w
		binary.LittleEndian.PutUint64(dst, a|b<<(2*w)|c<<(4*w)|d<<(6*w))
		if w > 8 {
			binary.LittleEndian.PutUint64(dst[8:], part(b, 2*w, 64)|part(c, 4*w, 64)|part(d, 6*w, 64))
		}
		if w > 16 {
			binary.LittleEndian.PutUint64(dst[16:], part(c, 4*w, 128)|part(d, 6*w, 128))
		}
		if w > 24 {
			binary.LittleEndian.PutUint64(dst[24:], part(d, 6*w, 192))
		}
		values = values[groupSize:]
		dst = dst[w:]
	}
	return all - len(values)
}

// part returns what lies in the word of the bits from on of v that begins at
// bit at. Shifts of 64 or more give zero.
func part(v uint64, at, from int) uint64 { return v<<uint(at-from) | v>>uint(from-at) }

// packGroups is packGroup of a width of 1 to 32.
func packGroups[T packable](dst []byte, values []T, width int) int {
	if width <= 16 {
		return packTo16(dst, values, width)
	}
	return packTo32(dst, values, width)
}

func packTo16[T packable](dst []byte, values []T, width int) int {
	switch width {
	case 1:
		return packGroup[[1]byte](dst, values)
	case 2:
		return packGroup[[2]byte](dst, values)
	case 3:
		return packGroup[[3]byte](dst, values)
	case 4:
		return packGroup[[4]byte](dst, values)
	case 5:
		return packGroup[[5]byte](dst, values)
	case 6:
		return packGroup[[6]byte](dst, values)
	case 7:
		return packGroup[[7]byte](dst, values)
	case 8:
		return packGroup[[8]byte](dst, values)
	case 9:
		return packGroup[[9]byte](dst, values)
	case 10:
		return packGroup[[10]byte](dst, values)
	case 11:
		return packGroup[[11]byte](dst, values)
	case 12:
		return packGroup[[12]byte](dst, values)
	case 13:
		return packGroup[[13]byte](dst, values)
	case 14:
		return packGroup[[14]byte](dst, values)
	case 15:
		return packGroup[[15]byte](dst, values)
	case 16:
		return packGroup[[16]byte](dst, values)
	}
	return 0
}

func packTo32[T packable](dst []byte, values []T, width int) int {
	switch width {
	case 17:
		return packGroup[[17]byte](dst, values)
	case 18:
		return packGroup[[18]byte](dst, values)
	case 19:
		return packGroup[[19]byte](dst, values)
	case 20:
		return packGroup[[20]byte](dst, values)
	case 21:
		return packGroup[[21]byte](dst, values)
	case 22:
		return packGroup[[22]byte](dst, values)
	case 23:
		return packGroup[[23]byte](dst, values)
	case 24:
		return packGroup[[24]byte](dst, values)
	case 25:
		return packGroup[[25]byte](dst, values)
	case 26:
		return packGroup[[26]byte](dst, values)
	case 27:
		return packGroup[[27]byte](dst, values)
	case 28:
		return packGroup[[28]byte](dst, values)
	case 29:
		return packGroup[[29]byte](dst, values)
	case 30:
		return packGroup[[30]byte](dst, values)
	case 31:
		return packGroup[[31]byte](dst, values)
	case 32:
		return packGroup[[32]byte](dst, values)
	}
	return 0
}
