package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// httpLoad sends the same request from some clients all the time.
type httpLoad struct {
	mu            sync.Mutex
	right         []time.Time
	wrong, failed int
}

func startLoad(t testing.TB, pause time.Duration, url string) *httpLoad {
	t.Helper()
	values := make([]string, 3*32*32)
	for i := range values {
		values[i] = strconv.FormatFloat(float64(i%17)/17, 'g', 4, 64)
	}
	body := fmt.Sprintf(`{"inputs":[{"name":"image","datatype":"FP32","shape":[1,3,32,32],"data":[%s]}]}`, strings.Join(values, ","))
	// A connection for each request: a new release takes the port over.
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var want []float64
	for deadline := time.Now().Add(20 * time.Second); want == nil; {
		answer, err := inferHTTP(client, url, body)
		if want = answer; err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	l := &httpLoad{}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				answer, err := inferHTTP(client, url, body)
				l.count(want, answer, err)
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		clients.Wait()
	})
	return l
}

func inferHTTP(client *http.Client, url, body string) ([]float64, error) {
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %w", response.Status, content, err)
	}
	var answer struct {
		Outputs []struct {
			Data []float64 `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(content, &answer); err != nil || len(answer.Outputs) != 1 {
		return nil, fmt.Errorf("%s: %w", content, err)
	}
	return answer.Outputs[0].Data, nil
}

func (l *httpLoad) count(want, got []float64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failed++
	case !alike(want, got):
		l.wrong++
	default:
		l.right = append(l.right, time.Now())
	}
}

// alike holds answers to the tolerance of docs: 1e-5 of the largest value.
func alike(want, got []float64) bool {
	if len(want) != len(got) {
		return false
	}
	var largest, worst float64
	for i := range want {
		largest, worst = max(largest, math.Abs(want[i])), max(worst, math.Abs(want[i]-got[i]))
	}
	return worst <= 1e-5*largest
}

// outage is the longest time without an answer from a moment on, and when it was over.
func (l *httpLoad) outage(from time.Time) (longest time.Duration, over time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := from
	for _, at := range l.right {
		if at.After(from) {
			if gap := at.Sub(last); gap > longest {
				longest, over = gap, at
			}
			last = at
		}
	}
	return longest, over
}

func (l *httpLoad) counts() (right, wrong, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.right), l.wrong, l.failed
}
