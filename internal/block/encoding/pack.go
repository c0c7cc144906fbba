package encoding

import "encoding/binary"

// packGroup writes groups as long as there are any and dst has slack behind
// them. It returns the number of values.
func packGroup[W narrow | wide, T packable](dst []byte, values []T) int {
	var stand W
	w := len(stand)
	all := len(values)
	for len(values) >= groupSize && len(dst) >= w+slack {
		v := (*[groupSize]T)(values)
		word := putField(dst, 0, uint64(v[0]), 0, w)
		word = putField(dst, word, uint64(v[1]), 1, w)
		word = putField(dst, word, uint64(v[2]), 2, w)
		word = putField(dst, word, uint64(v[3]), 3, w)
		word = putField(dst, word, uint64(v[4]), 4, w)
		word = putField(dst, word, uint64(v[5]), 5, w)
		word = putField(dst, word, uint64(v[6]), 6, w)
		word = putField(dst, word, uint64(v[7]), 7, w)
		if w%8 != 0 {
			binary.LittleEndian.PutUint64(dst[w&^7:], word)
		}
		values = values[groupSize:]
		dst = dst[w:]
	}
	return all - len(values)
}

// putField adds value i, of w bits, of a group to the open word, and returns
// the open word after it: another one if this one is full.
func putField(dst []byte, word, v uint64, i, w int) uint64 {
	shift := i * w & 63
	word |= v << shift
	if shift+w >= 64 {
		binary.LittleEndian.PutUint64(dst[i*w>>6<<3:], word)
		word = v >> (64 - shift)
	}
	return word
}

// packGroups is packGroup of a width of 1 to 64.
func packGroups[T packable](dst []byte, values []T, width int) int {
	switch {
	case width <= 16:
		return packTo16(dst, values, width)
	case width <= 32:
		return packTo32(dst, values, width)
	case width <= 48:
		return packTo48(dst, values, width)
	}
	return packTo64(dst, values, width)
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

func packTo48[T packable](dst []byte, values []T, width int) int {
	switch width {
	case 33:
		return packGroup[[33]byte](dst, values)
	case 34:
		return packGroup[[34]byte](dst, values)
	case 35:
		return packGroup[[35]byte](dst, values)
	case 36:
		return packGroup[[36]byte](dst, values)
	case 37:
		return packGroup[[37]byte](dst, values)
	case 38:
		return packGroup[[38]byte](dst, values)
	case 39:
		return packGroup[[39]byte](dst, values)
	case 40:
		return packGroup[[40]byte](dst, values)
	case 41:
		return packGroup[[41]byte](dst, values)
	case 42:
		return packGroup[[42]byte](dst, values)
	case 43:
		return packGroup[[43]byte](dst, values)
	case 44:
		return packGroup[[44]byte](dst, values)
	case 45:
		return packGroup[[45]byte](dst, values)
	case 46:
		return packGroup[[46]byte](dst, values)
	case 47:
		return packGroup[[47]byte](dst, values)
	case 48:
		return packGroup[[48]byte](dst, values)
	}
	return 0
}

func packTo64[T packable](dst []byte, values []T, width int) int {
	switch width {
	case 49:
		return packGroup[[49]byte](dst, values)
	case 50:
		return packGroup[[50]byte](dst, values)
	case 51:
		return packGroup[[51]byte](dst, values)
	case 52:
		return packGroup[[52]byte](dst, values)
	case 53:
		return packGroup[[53]byte](dst, values)
	case 54:
		return packGroup[[54]byte](dst, values)
	case 55:
		return packGroup[[55]byte](dst, values)
	case 56:
		return packGroup[[56]byte](dst, values)
	case 57:
		return packGroup[[57]byte](dst, values)
	case 58:
		return packGroup[[58]byte](dst, values)
	case 59:
		return packGroup[[59]byte](dst, values)
	case 60:
		return packGroup[[60]byte](dst, values)
	case 61:
		return packGroup[[61]byte](dst, values)
	case 62:
		return packGroup[[62]byte](dst, values)
	case 63:
		return packGroup[[63]byte](dst, values)
	case 64:
		return packGroup[[64]byte](dst, values)
	}
	return 0
}
