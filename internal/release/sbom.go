package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

// The parts of an SPDX document that are written.
//
// Reference: https://spdx.github.io/spdx-spec/v2.3/
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}

	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}

	spdxPackage struct {
		ID               string          `json:"SPDXID"`
		Name             string          `json:"name"`
		Version          string          `json:"versionInfo"`
		DownloadLocation string          `json:"downloadLocation"`
		FilesAnalyzed    bool            `json:"filesAnalyzed"`
		LicenseConcluded string          `json:"licenseConcluded"`
		LicenseDeclared  string          `json:"licenseDeclared"`
		Copyright        string          `json:"copyrightText"`
		Checksums        []spdxChecksum  `json:"checksums,omitempty"`
		References       []spdxReference `json:"externalRefs"`
		Comment          string          `json:"comment,omitempty"`
	}

	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}

	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}

	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const (
	noAssertion = "NOASSERTION"
	documentID  = "SPDXRef-DOCUMENT"
	programID   = "SPDXRef-" + program
)

// sbom returns the bill of materials of a binary as SPDX 2.3 JSON: what the Go
// linker noted in it, not what the build might have used.
func sbom(name, version string, created time.Time, info *debug.BuildInfo, sum [32]byte) ([]byte, error) {
	digest := hex.EncodeToString(sum[:])
	main := newPackage(programID, info.Main.Path, version)
	main.LicenseDeclared = "Apache-2.0"
	main.Checksums = []spdxChecksum{{"SHA256", digest}}
	document := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: documentID, Name: name,
		Namespace:     fmt.Sprintf("https://%s/sbom/%s/%s", info.Main.Path, name, digest),
		Creation:      spdxCreation{created.Format(time.RFC3339), []string{"Tool: " + program + "-release"}},
		Packages:      []spdxPackage{main, newPackage("SPDXRef-stdlib", "stdlib", strings.TrimPrefix(info.GoVersion, "go"))},
		Relationships: []spdxRelationship{{documentID, "DESCRIBES", programID}, {programID, "DEPENDS_ON", "SPDXRef-stdlib"}},
	}
	for i, module := range linked(info) {
		p := newPackage(fmt.Sprintf("SPDXRef-module-%d", i+1), module.Path, module.Version)
		if module.Sum != "" {
			p.Comment = "go.sum: " + module.Sum
		}
		document.Packages = append(document.Packages, p)
		document.Relationships = append(document.Relationships, spdxRelationship{programID, "DEPENDS_ON", p.ID})
	}
	data, err := json.MarshalIndent(document, "", "  ")
	return append(data, '\n'), err
}

func newPackage(id, path, version string) spdxPackage {
	return spdxPackage{
		ID: id, Name: path, Version: version, DownloadLocation: noAssertion,
		LicenseConcluded: noAssertion, LicenseDeclared: noAssertion, Copyright: noAssertion,
		References: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + strings.ToLower(path) + "@" + url.QueryEscape(version)}},
	}
}

// linked are the modules in a binary, those that replaced others in place of
// them.
func linked(info *debug.BuildInfo) []*debug.Module {
	modules := make([]*debug.Module, len(info.Deps))
	for i, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules[i] = m
	}
	return modules
}
