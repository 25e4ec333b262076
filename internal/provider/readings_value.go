package provider

import (
	"math"
	"math/big"
	"strconv"
	"time"
)

// ReadingsQuery is what can be asked of readings.
type ReadingsQuery string

// The queries that readings answer.
const (
	// ReadingsLatest asks for the newest reading of each site.
	ReadingsLatest ReadingsQuery = "latest"
	// ReadingsMean asks for the mean of the readings in the window.
	ReadingsMean ReadingsQuery = "mean"
)

// one makes one sample of a site's readings, of which there is at least one. It reports false when they contradict each other. The order of the readings has
// no influence.
func (q ReadingsQuery) one(readings []Reading, w Window) (Sample, bool) {
	if q == ReadingsMean {
		return mean(readings, w.End), true
	}
	sample, ok := latest(readings)
	if !w.Start.Equal(w.End) {
		sample.Time = w.End
	}
	return sample, ok
}

// latest returns the newest reading. Of several that say the same about the same moment it believes the one that claims the fewest samples.
func latest(readings []Reading) (Sample, bool) {
	newest, agreed := readings[0], true
	for _, r := range readings[1:] {
		switch {
		case r.ObservedAt.After(newest.ObservedAt):
			newest, agreed = r, true
		case r.Contradicts(newest):
			agreed = false
		case r.ObservedAt.Equal(newest.ObservedAt):
			newest.Samples = min(newest.Samples, r.Samples)
		}
	}
	return Sample{Site: newest.Site, Value: newest.Value, Time: newest.ObservedAt, Samples: newest.Samples}, agreed
}

// mean returns the arithmetic mean, weighted with the samples when every reading tells them. It calculates with the decimals that people entered and rounds once,
// at the end: neither the order of the readings nor their number costs a digit, and the mean of equal values is that value.
func mean(readings []Reading, at time.Time) Sample {
	result := Sample{Site: readings[0].Site, Value: math.NaN(), Time: at}
	weighted := true
	for _, r := range readings {
		weighted = weighted && r.Samples > 0
	}
	total, weights := new(big.Rat), new(big.Int)
	for _, r := range readings {
		// The shortest text that is read as this number is the decimal that was entered.
		value, finite := new(big.Rat).SetString(strconv.FormatFloat(r.Value, 'g', -1, 64))
		if !finite {
			return result
		}
		weight := big.NewInt(1)
		if weighted {
			weight.SetInt64(r.Samples)
		}
		total.Add(total, value.Mul(value, new(big.Rat).SetInt(weight)))
		weights.Add(weights, weight)
	}
	result.Value, _ = total.Quo(total, new(big.Rat).SetInt(weights)).Float64()
	if weighted {
		result.Samples = math.MaxInt64
		if weights.IsInt64() {
			result.Samples = weights.Int64()
		}
	}
	return result
}
