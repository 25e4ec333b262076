package fakeprom

import (
	"sync"
	"time"
)

// Series remembers when the value of each site was changed, so that a question about the past gets the value of then, as from a real source.
// Its method At is what BySite takes. The zero value is empty and ready to be used. It is safe for concurrent use.
type Series struct {
	mutex sync.Mutex
	sites map[string][]change
}

type change struct {
	from  time.Time
	value float64
	gone  bool
}

// Set gives sites a value from a moment on. Moments of one site must not go backwards.
func (s *Series) Set(from time.Time, value float64, sites ...string) {
	s.add(change{from: from, value: value}, sites)
}

// Drop takes the values of sites away from a moment on.
func (s *Series) Drop(from time.Time, sites ...string) { s.add(change{from: from, gone: true}, sites) }

func (s *Series) add(c change, sites []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sites == nil {
		s.sites = map[string][]change{}
	}
	for _, site := range sites {
		s.sites[site] = append(s.sites[site], c)
	}
}

// At returns the value that each site had at a moment.
func (s *Series) At(moment time.Time) map[string]float64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	values := map[string]float64{}
	for site, changes := range s.sites {
		for i := len(changes) - 1; i >= 0; i-- {
			if c := changes[i]; !c.from.After(moment) {
				if !c.gone {
					values[site] = c.value
				}
				break
			}
		}
	}
	return values
}
