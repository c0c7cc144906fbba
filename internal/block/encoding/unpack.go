package encoding

import "encoding/binary"

// narrow are stand-ins for the widths 1 to 32, wide for 33 to 64: the length of
// the array. A function that has one as a type parameter is compiled for each
// of them, with shifts, masks and offsets that are constants.
type narrow interface {
	[1]byte | [2]byte | [3]byte | [4]byte | [5]byte | [6]byte | [7]byte | [8]byte |
		[9]byte | [10]byte | [11]byte | [12]byte | [13]byte | [14]byte | [15]byte | [16]byte |
		[17]byte | [18]byte | [19]byte | [20]byte | [21]byte | [22]byte | [23]byte | [24]byte |
		[25]byte | [26]byte | [27]byte | [28]byte | [29]byte | [30]byte | [31]byte | [32]byte
}

type wide interface {
	[33]byte | [34]byte | [35]byte | [36]byte | [37]byte | [38]byte | [39]byte | [40]byte |
		[41]byte | [42]byte | [43]byte | [44]byte | [45]byte | [46]byte | [47]byte | [48]byte |
		[49]byte | [50]byte | [51]byte | [52]byte | [53]byte | [54]byte | [55]byte | [56]byte |
		[57]byte | [58]byte | [59]byte | [60]byte | [61]byte | [62]byte | [63]byte | [64]byte
}

// unpackGroup reads groups as long as dst has room for them and src has slack
// behind them. It returns the number of values.
func unpackGroup[W narrow | wide, T packable](dst []T, src []byte) int {
	var stand W
	w := len(stand)
	room := len(dst)
	for len(dst) >= groupSize && len(src) >= w+slack {
		d := (*[groupSize]T)(dst)
		d[0] = T(field(src, 0, w))
		d[1] = T(field(src, 1, w))
		d[2] = T(field(src, 2, w))
		d[3] = T(field(src, 3, w))
		d[4] = T(field(src, 4, w))
		d[5] = T(field(src, 5, w))
		d[6] = T(field(src, 6, w))
		d[7] = T(field(src, 7, w))
		dst = dst[groupSize:]
		src = src[w:]
	}
	return room - len(dst)
}

// field returns value i, of w bits, of the group that src begins with.
func field(src []byte, i, w int) uint64 {
	at, shift := i*w>>3, i*w&7
	v := binary.LittleEndian.Uint64(src[at:]) >> shift
	if shift+w > 64 {
		v |= uint64(src[at+8]) << (64 - shift)
	}
	return v & (1<<w - 1)
}

// unpackGroups is unpackGroup of a width of 1 to 64.
func unpackGroups[T packable](dst []T, src []byte, width int) int {
	switch {
	case width <= 16:
		return unpackTo16(dst, src, width)
	case width <= 32:
		return unpackTo32(dst, src, width)
	case width <= 48:
		return unpackTo48(dst, src, width)
	}
	return unpackTo64(dst, src, width)
}

func unpackTo16[T packable](dst []T, src []byte, width int) int {
	switch width {
	case 1:
		return unpackGroup[[1]byte](dst, src)
	case 2:
		return unpackGroup[[2]byte](dst, src)
	case 3:
		return unpackGroup[[3]byte](dst, src)
	case 4:
		return unpackGroup[[4]byte](dst, src)
	case 5:
		return unpackGroup[[5]byte](dst, src)
	case 6:
		return unpackGroup[[6]byte](dst, src)
	case 7:
		return unpackGroup[[7]byte](dst, src)
	case 8:
		return unpackGroup[[8]byte](dst, src)
	case 9:
		return unpackGroup[[9]byte](dst, src)
	case 10:
		return unpackGroup[[10]byte](dst, src)
	case 11:
		return unpackGroup[[11]byte](dst, src)
	case 12:
		return unpackGroup[[12]byte](dst, src)
	case 13:
		return unpackGroup[[13]byte](dst, src)
	case 14:
		return unpackGroup[[14]byte](dst, src)
	case 15:
		return unpackGroup[[15]byte](dst, src)
	case 16:
		return unpackGroup[[16]byte](dst, src)
	}
	return 0
}

func unpackTo32[T packable](dst []T, src []byte, width int) int {
	switch width {
	case 17:
		return unpackGroup[[17]byte](dst, src)
	case 18:
		return unpackGroup[[18]byte](dst, src)
	case 19:
		return unpackGroup[[19]byte](dst, src)
	case 20:
		return unpackGroup[[20]byte](dst, src)
	case 21:
		return unpackGroup[[21]byte](dst, src)
	case 22:
		return unpackGroup[[22]byte](dst, src)
	case 23:
		return unpackGroup[[23]byte](dst, src)
	case 24:
		return unpackGroup[[24]byte](dst, src)
	case 25:
		return unpackGroup[[25]byte](dst, src)
	case 26:
		return unpackGroup[[26]byte](dst, src)
	case 27:
		return unpackGroup[[27]byte](dst, src)
	case 28:
		return unpackGroup[[28]byte](dst, src)
	case 29:
		return unpackGroup[[29]byte](dst, src)
	case 30:
		return unpackGroup[[30]byte](dst, src)
	case 31:
		return unpackGroup[[31]byte](dst, src)
	case 32:
		return unpackGroup[[32]byte](dst, src)
	}
	return 0
}

func unpackTo48[T packable](dst []T, src []byte, width int) int {
	switch width {
	case 33:
		return unpackGroup[[33]byte](dst, src)
	case 34:
		return unpackGroup[[34]byte](dst, src)
	case 35:
		return unpackGroup[[35]byte](dst, src)
	case 36:
		return unpackGroup[[36]byte](dst, src)
	case 37:
		return unpackGroup[[37]byte](dst, src)
	case 38:
		return unpackGroup[[38]byte](dst, src)
	case 39:
		return unpackGroup[[39]byte](dst, src)
	case 40:
		return unpackGroup[[40]byte](dst, src)
	case 41:
		return unpackGroup[[41]byte](dst, src)
	case 42:
		return unpackGroup[[42]byte](dst, src)
	case 43:
		return unpackGroup[[43]byte](dst, src)
	case 44:
		return unpackGroup[[44]byte](dst, src)
	case 45:
		return unpackGroup[[45]byte](dst, src)
	case 46:
		return unpackGroup[[46]byte](dst, src)
	case 47:
		return unpackGroup[[47]byte](dst, src)
	case 48:
		return unpackGroup[[48]byte](dst, src)
	}
	return 0
}

func unpackTo64[T packable](dst []T, src []byte, width int) int {
	switch width {
	case 49:
		return unpackGroup[[49]byte](dst, src)
	case 50:
		return unpackGroup[[50]byte](dst, src)
	case 51:
		return unpackGroup[[51]byte](dst, src)
	case 52:
		return unpackGroup[[52]byte](dst, src)
	case 53:
		return unpackGroup[[53]byte](dst, src)
	case 54:
		return unpackGroup[[54]byte](dst, src)
	case 55:
		return unpackGroup[[55]byte](dst, src)
	case 56:
		return unpackGroup[[56]byte](dst, src)
	case 57:
		return unpackGroup[[57]byte](dst, src)
	case 58:
		return unpackGroup[[58]byte](dst, src)
	case 59:
		return unpackGroup[[59]byte](dst, src)
	case 60:
		return unpackGroup[[60]byte](dst, src)
	case 61:
		return unpackGroup[[61]byte](dst, src)
	case 62:
		return unpackGroup[[62]byte](dst, src)
	case 63:
		return unpackGroup[[63]byte](dst, src)
	case 64:
		return unpackGroup[[64]byte](dst, src)
	}
	return 0
}
