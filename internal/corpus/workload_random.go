package corpus

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Nanoseconds.
const (
	microsecond = 1000
	millisecond = 1000 * microsecond
	second      = 1000 * millisecond
)

const (
	// vocabularyWords is how many words texts are made of.
	vocabularyWords = 4000
	// rankSamples is a power of two; a frequent word is many of the samples.
	rankSamples = 1 << 16
)

// random draws values as they occur in the wild.
type random struct {
	rng   *rand.Rand
	words []string
	ranks []uint16 // places in words after Zipf's law, drawn in advance
}

func newRandom(rng *rand.Rand) random {
	syllables := strings.Fields("ka ro mi te su no la vi dor pen tal qui ras mel fon gre bli tor sha nel con der ing st")
	words := make([]string, vocabularyWords)
	for i := range words {
		for range 1 + rng.IntN(3) {
			words[i] += syllables[rng.IntN(len(syllables))]
		}
	}
	zipf := rand.NewZipf(rng, 1.1, 4, vocabularyWords-1)
	ranks := make([]uint16, rankSamples)
	for i := range ranks {
		ranks[i] = uint16(zipf.Uint64())
	}
	return random{rng: rng, words: words, ranks: ranks}
}

func (r *random) chance(p float64) bool { return r.rng.Float64() < p }

// word is one of n words, all equally frequent.
func (r *random) word(n int) string { return r.words[r.rng.IntN(n)] }

// rank is a place below n, the first ones more frequent than the last.
func (r *random) rank(n int) int { return int(r.ranks[r.rng.Uint32()%rankSamples]) % n }

// pick returns one of the values, the first ones more often.
func pick[T any](r *random, values []T) T { return values[r.rank(len(values))] }

// anyOf returns one of the values, all equally often.
func anyOf[T any](r *random, values ...T) T { return values[r.rng.IntN(len(values))] }

// spread draws from a log-normal distribution.
func (r *random) spread(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.rng.NormFloat64())
}

// latency is log-normal, at least a microsecond.
func (r *random) latency(median float64) uint64 {
	return uint64(max(r.spread(median, 0.8), microsecond))
}

// appendText appends words until it has added n bytes or a few more.
func (r *random) appendText(b []byte, n int) []byte {
	end := len(b) + n
	for sentence := 1; len(b) < end; sentence++ {
		b = append(b, r.words[r.rank(vocabularyWords)]...)
		if sentence%12 == 0 {
			b = append(b, '.')
		}
		b = append(b, ' ')
	}
	return b
}

// text is a text of about n bytes.
func (r *random) text(n int) string { return string(r.appendText(make([]byte, 0, n+16), n)) }

func (r *random) bytes8() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], r.rng.Uint64()|1)
	return id
}

func (r *random) bytes16() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], r.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.rng.Uint64()|1)
	return id
}

// hex is a random number of the given digits, at most 16.
func (r *random) hex(digits int) string {
	return fmt.Sprintf("%016x", r.rng.Uint64())[:digits]
}

func (r *random) address() string {
	return "10." + strconv.Itoa(r.rng.IntN(4)) + "." + strconv.Itoa(r.rng.IntN(64)) + "." + strconv.Itoa(r.rng.IntN(250))
}
