package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// taken returns how many bytes are allocated while something runs.
func taken(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func repeated(piece string, size int) json.RawMessage {
	return json.RawMessage("[" + strings.TrimSuffix(strings.Repeat(piece+",", size/(len(piece)+1)), ",") + "]")
}

// An answer within its limit must not take many times as much memory when it is read.
func TestAnswersOfManySmallThingsTakeNoMoreThanTheirSize(t *testing.T) {
	const size = 2 << 20
	p := &prometheus{endpoint: endpoint{host: "large:9090"}, points: maxPoints}
	point := fmt.Sprintf("[%s,%q]", seconds(at.End), "1")
	matrixOf := func(lines string) json.RawMessage {
		return json.RawMessage(`{"resultType":"matrix","result":` + lines + `}`)
	}
	vectorOf := func(rows json.RawMessage) error {
		_, err := p.readVector(rows, allSites, at)
		return err
	}
	spanOf := func(lines json.RawMessage) error {
		_, err := p.readMatrix(matrixOf(string(lines)), allSites, []Window{at, {Start: at.Start.Add(time.Minute), End: at.End.Add(time.Minute)}})
		return err
	}
	for name, test := range map[string]struct {
		body json.RawMessage
		read func(json.RawMessage) error
	}{
		"a vector of empty rows":      {repeated(`{}`, size), vectorOf},
		"a row of many values":        {json.RawMessage(`[{"metric":{"site":"a"},"value":` + string(repeated(`1`, size)) + `}]`), vectorOf},
		"a row of many labels":        {json.RawMessage(`[{"metric":{"site":"a"` + strings.Repeat(`,"":""`, size/6) + `},"value":` + point + `}]`), vectorOf},
		"a matrix of empty series":    {repeated(`{}`, size), spanOf},
		"a series of equal moments":   {json.RawMessage(`[{"metric":{"site":"a"},"values":` + string(repeated(point, size)) + `}]`), spanOf},
		"a series of many histograms": {json.RawMessage(`[{"metric":{"site":"a"},"histograms":` + string(repeated(`1`, size)) + `}]`), spanOf},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if got := taken(func() { err = test.read(test.body) }); got > 5*size {
				t.Errorf("%d KiB were allocated for %d KiB", got>>10, size>>10)
			}
			wantError(t, err, InvalidResponse, "")
		})
	}
	t.Run("many warnings", func(t *testing.T) {
		body := []byte(`{"warnings":` + string(repeated(`""`, size)) + `}`)
		var err error
		if got := taken(func() { err = json.Unmarshal(body, &envelope{}) }); got > 5*size || err == nil {
			t.Errorf("%d KiB were allocated for %d KiB, error %v; want no more than the size, and an error", got>>10, size>>10, err)
		}
	})
}

func TestTooManyNumbersAreRefused(t *testing.T) {
	const message = "large:9090 answered with more than 3 numbers: aggregate by site in the query"
	p := &prometheus{endpoint: endpoint{host: "large:9090"}, points: 3}
	later := Window{Start: at.Start.Add(time.Minute), End: at.End.Add(time.Minute)}
	of := func(sites int) error {
		rows := make([]string, sites)
		for i := range rows {
			rows[i] = series(fmt.Sprint("s", i), "1")
		}
		_, err := p.readVector(json.RawMessage("["+strings.Join(rows, ",")+"]"), allSites, at)
		return err
	}
	if err := of(3); err != nil {
		t.Errorf("3 numbers: %v", err)
	}
	wantError(t, of(4), ResponseTooLarge, message)

	values := fmt.Sprintf(`[[%s,"1"],[%s,"1"]]`, seconds(at.End), seconds(later.End))
	over := func(lines ...string) error {
		_, err := p.readMatrix(json.RawMessage(`{"resultType":"matrix","result":[`+strings.Join(lines, ",")+`]}`), allSites, []Window{at, later})
		return err
	}
	first := `{"metric":{"site":"a"},"values":` + values + `}`
	if err := over(first); err != nil {
		t.Errorf("2 numbers: %v", err)
	}
	wantError(t, over(first, `{"metric":{"site":"b"},"values":`+values+`}`), ResponseTooLarge, message)
}

func TestTheFirstWarningThatIsNoRemarkIsKept(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"warnings":null}`: "", `{"warnings":[]}`: "", `{"warnings":["PromQL info: odd"]}`: "",
		`{"warnings":["PromQL info: odd","a store is down","another"]}`: "a store is down",
		`{"isPartial":true}`: "the answer is marked as partial", `{"warnings":["a store is down"],"isPartial":true}`: "a store is down",
	} {
		var read envelope
		if err := json.Unmarshal([]byte(text), &read); err != nil || read.doubt() != want {
			t.Errorf("%s: got doubt %q (error %v), want %q", text, read.doubt(), err, want)
		}
	}
	for _, text := range []string{`{"warnings":"x"}`, `{"warnings":[1]}`, `{"warnings":{}}`} {
		if err := json.Unmarshal([]byte(text), &envelope{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestElementsAreReadUpToTheFirstThatIsWrong(t *testing.T) {
	stop := errors.New("wrong")
	for text, want := range map[string]struct {
		seen string
		ok   bool
	}{
		`null`: {"", true}, `[]`: {"", true}, ` [ ] `: {"", true}, `[1]`: {"1;", true},
		` [ 1 , {"a":[2,3],"b":"],}"} , "\"," , "\\" ,[[],{}] ] `: {`1;{"a":[2,3],"b":"],}"};"\",";"\\";[[],{}];`, true},
		`[1,"stop",2]`: {`1;"stop";`, false}, ``: {"", false}, `{}`: {"", false}, `"x"`: {"", false}, `[1`: {"", false}, `[`: {"", false}, `7`: {"", false},
	} {
		var seen strings.Builder
		err := eachElement(json.RawMessage(text), func(element json.RawMessage) error {
			seen.WriteString(string(element) + ";")
			if string(element) == `"stop"` {
				return stop
			}
			return nil
		})
		if diff := cmp.Diff(want.seen, seen.String()); diff != "" || (err == nil) != want.ok {
			t.Errorf("%q: error %v, elements (-want +got):\n%s", text, err, diff)
		}
	}
}
