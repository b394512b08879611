// Prints the exported names of a Go module's packages, one on each line and sorted: types with their fields and
// methods, functions, variables, constants. Programs, tests and examples are left out; of generated files the
// functions and methods are, because they are their generator's and not the module's.
//
//	go run ./scripts/go-names FOLDER
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("go run ./scripts/go-names FOLDER"))
	}
	root := os.Args[1]
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "examples" || entry.Name() == "internal") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil || file.Name.Name == "main" {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		// Names of the package at the root stand for themselves.
		prefix := ""
		if folder != "." {
			prefix = filepath.ToSlash(folder) + "."
		}
		for _, name := range exportedNames(file) {
			names[prefix+name] = true
		}
		return nil
	})
	if err != nil {
		fail(err)
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	fmt.Println(strings.Join(sorted, "\n"))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func exportedNames(file *ast.File) []string {
	var names []string
	for _, declaration := range file.Decls {
		switch declared := declaration.(type) {
		case *ast.FuncDecl:
			if !ast.IsGenerated(file) {
				names = append(names, functionNames(declared)...)
			}
		case *ast.GenDecl:
			for _, spec := range declared.Specs {
				names = append(names, specNames(spec)...)
			}
		}
	}
	return names
}

func functionNames(function *ast.FuncDecl) []string {
	if !function.Name.IsExported() {
		return nil
	}
	if function.Recv == nil {
		return []string{function.Name.Name}
	}
	receiver := typeName(function.Recv.List[0].Type)
	if !ast.IsExported(receiver) {
		return nil
	}
	return []string{receiver + "." + function.Name.Name}
}

func specNames(spec ast.Spec) []string {
	var names []string
	switch declared := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range declared.Names {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	case *ast.TypeSpec:
		if !declared.Name.IsExported() {
			return nil
		}
		names = append(names, declared.Name.Name)
		for _, member := range memberNames(declared.Type) {
			names = append(names, declared.Name.Name+"."+member)
		}
	}
	return names
}

// Fields of a struct and methods of an interface. What is embedded is named like its type.
func memberNames(expression ast.Expr) []string {
	var fields *ast.FieldList
	switch declared := expression.(type) {
	case *ast.StructType:
		fields = declared.Fields
	case *ast.InterfaceType:
		fields = declared.Methods
	default:
		return nil
	}
	var names []string
	for _, field := range fields.List {
		if len(field.Names) == 0 {
			if name := typeName(field.Type); ast.IsExported(name) {
				names = append(names, name)
			}
		}
		for _, name := range field.Names {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func typeName(expression ast.Expr) string {
	switch named := expression.(type) {
	case *ast.StarExpr:
		return typeName(named.X)
	case *ast.SelectorExpr:
		return named.Sel.Name
	case *ast.IndexExpr:
		return typeName(named.X)
	case *ast.Ident:
		return named.Name
	default:
		return ""
	}
}
