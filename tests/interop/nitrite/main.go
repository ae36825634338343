// Command nitrite asks github.com/hf/nitrite about attestation documents.
//
//	nitrite judge [ROOT.pem]        reads "SECONDS PATH" lines, prints one JSON verdict for each
//	nitrite bench [ROOT.pem]        reads the same lines, verifies all, prints documents a second
//	nitrite pack PACK               judges every document of a pack, by its manifest
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

type question struct {
	seconds, path string
	data          []byte
}

func questions() []question {
	var asked []question
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		seconds, path, _ := strings.Cut(lines.Text(), " ")
		data, err := os.ReadFile(path)
		check(err)
		asked = append(asked, question{seconds, path, data})
	}
	check(lines.Err())
	return asked
}

func judge(roots *x509.CertPool) {
	encoder := json.NewEncoder(os.Stdout)
	for _, one := range questions() {
		result, err := nitrite.Verify(one.data, options(one.seconds, roots))
		row := verdict{Path: one.path, Accepted: err == nil}
		if err != nil {
			row.Error = err.Error()
		}
		if result != nil {
			row.ModuleID = result.Document.ModuleID
			row.PCR0 = fmt.Sprintf("%x", result.Document.PCRs[0])
		}
		check(encoder.Encode(row))
	}
}

func bench(roots *x509.CertPool) {
	asked := questions()
	started := time.Now()
	for _, one := range asked {
		_, err := nitrite.Verify(one.data, options(one.seconds, roots))
		check(err)
	}
	fmt.Printf("%.1f\n", float64(len(asked))/time.Since(started).Seconds())
}

type manifest struct {
	Roots     map[string]struct{ File string }
	Documents []struct {
		File, Root string
		AtSeconds  int64 `json:"at_seconds"`
	}
}

func pack(folder string) {
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	check(err)
	var asked manifest
	check(json.Unmarshal(text, &asked))
	encoder := json.NewEncoder(os.Stdout)
	for _, one := range asked.Documents {
		data, err := os.ReadFile(filepath.Join(folder, one.File))
		check(err)
		roots := rootsFrom(filepath.Join(folder, asked.Roots[one.Root].File))
		row := map[string]any{"peer": "github.com/hf/nitrite", "file": one.File, "error": ""}
		err = recovered(data, nitrite.VerifyOptions{Roots: roots, CurrentTime: time.Unix(one.AtSeconds, 0)})
		row["accepted"] = err == nil
		if err != nil {
			row["error"] = err.Error()
		}
		check(encoder.Encode(row))
	}
}

// recovered verifies, and returns a panic as an error.
func recovered(data []byte, options nitrite.VerifyOptions) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("panic: %v", found)
		}
	}()
	_, err = nitrite.Verify(data, options)
	return err
}

func rootsFrom(path string) *x509.CertPool {
	pem, err := os.ReadFile(path)
	check(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		check(fmt.Errorf("no certificate in %s", path))
	}
	return roots
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "pack" {
		pack(os.Args[2])
		return
	}
	commands := map[string]func(*x509.CertPool){"judge": judge, "bench": bench}
	if len(os.Args) < 2 || len(os.Args) > 3 || commands[os.Args[1]] == nil {
		check(fmt.Errorf("usage: nitrite judge|bench [ROOT.pem], or nitrite pack PACK"))
	}
	var roots *x509.CertPool // nil: the root that nitrite comes with, AWS's
	if len(os.Args) == 3 {
		roots = rootsFrom(os.Args[2])
	}
	commands[os.Args[1]](roots)
}
