// Command nitrite asks github.com/hf/nitrite about attestation documents.
//
//	nitrite judge [ROOT.pem]        reads "SECONDS PATH" lines, prints one JSON verdict for each
//	nitrite bench PATH SECONDS N    verifies one document N times, prints documents a second
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hf/nitrite"
)

type verdict struct {
	Path     string `json:"path"`
	Accepted bool   `json:"accepted"`
	Error    string `json:"error"`
	ModuleID string `json:"module_id"`
	PCR0     string `json:"pcr0"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func options(seconds string, roots *x509.CertPool) nitrite.VerifyOptions {
	moment, err := strconv.ParseInt(seconds, 10, 64)
	check(err)
	return nitrite.VerifyOptions{Roots: roots, CurrentTime: time.Unix(moment, 0)}
}

func judge(roots *x509.CertPool) {
	encoder := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		seconds, path, _ := strings.Cut(lines.Text(), " ")
		data, err := os.ReadFile(path)
		check(err)
		result, err := nitrite.Verify(data, options(seconds, roots))
		row := verdict{Path: path, Accepted: err == nil}
		if err != nil {
			row.Error = err.Error()
		}
		if result != nil {
			row.ModuleID = result.Document.ModuleID
			row.PCR0 = fmt.Sprintf("%x", result.Document.PCRs[0])
		}
		check(encoder.Encode(row))
	}
	check(lines.Err())
}

func bench(path, seconds, count string) {
	data, err := os.ReadFile(path)
	check(err)
	total, err := strconv.Atoi(count)
	check(err)
	given := options(seconds, nil)
	started := time.Now()
	for i := 0; i < total; i++ {
		_, err := nitrite.Verify(data, given)
		check(err)
	}
	fmt.Printf("%.1f\n", float64(total)/time.Since(started).Seconds())
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "judge":
		judge(nil)
	case len(os.Args) == 3 && os.Args[1] == "judge":
		pem, err := os.ReadFile(os.Args[2])
		check(err)
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			check(fmt.Errorf("no certificate in %s", os.Args[2]))
		}
		judge(roots)
	case len(os.Args) == 5 && os.Args[1] == "bench":
		bench(os.Args[2], os.Args[3], os.Args[4])
	default:
		check(fmt.Errorf("usage: nitrite judge [ROOT.pem] | bench PATH SECONDS N"))
	}
}
