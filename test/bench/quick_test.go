package main

import (
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func init() { log.SetLogger(logr.Discard()) }

// The parts with much happening, with few sites: their claims hold but for those about times, which say nothing here.
func TestQuickMoves(t *testing.T) {
	m, err := measureMoves(t.Context(), newCourse(6, 3))
	if err != nil {
		t.Fatal(err)
	}
	assertClaims(t, m.claims(), "sites through")
	t.Log(movesTable(m))
}

func TestQuickWave(t *testing.T) {
	w, err := measureWave(t.Context(), newWave(12))
	if err != nil {
		t.Fatal(err)
	}
	assertClaims(t, w.claims(), "")
	t.Log(waveTable(w))
}

func TestQuickCompleted(t *testing.T) {
	c, err := measureCompleted(t.Context(), 12, stillFor)
	if err != nil {
		t.Fatal(err)
	}
	assertClaims(t, completedClaims(c), "of a core")
	t.Log(completedTable(c))
}

// assertClaims checks all claims but those whose text has some words.
func assertClaims(t *testing.T, claims []claim, but string) {
	t.Helper()
	for _, claim := range claims {
		if !claim.holds && (but == "" || !strings.Contains(claim.what, but)) {
			t.Error(claim)
		}
	}
}
