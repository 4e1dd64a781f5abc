// A user of Vault's Go client: drives every engine and auth method, one line a step, and ends with status 1 at the
// first answer that is not as the client or its user expects.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/hashicorp/vault/api"
)

func main() {
	root := connect(os.Getenv("VAULT_ADDR"), os.Getenv("VAULT_TOKEN"))
	system(root)
	mounts(root)
	keyValue(root)
	transit(root)
	authorities(root)
	sshKeys(root)
	oneTimePasswords(root)
	databases(root)
	tokens(root)
	logins(root)
	identities(root)
	wrapping(root)
	ceremonies(connect(os.Getenv("FRESH_ADDR"), ""))
	fmt.Println("done")
}

// connect makes a client that believes the authority in VAULT_CACERT and does not retry.
func connect(address, token string) *api.Client {
	config := api.DefaultConfig()
	config.Address = address
	config.MaxRetries = 0
	client := must(api.NewClient(config))
	client.SetToken(token)
	return client
}

func step(name string, work func()) {
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Printf("FAILED %s: %v\n", name, failure)
			os.Exit(1)
		}
	}()
	work()
	fmt.Println("ok", name)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s is %#v, not %#v", what, got, want))
	}
}

func check(what string, holds bool) {
	if !holds {
		panic(what)
	}
}

// refused expects an answer of a status whose errors hold a text.
func refused(err error, status int, text string) {
	var answer *api.ResponseError
	if !errors.As(err, &answer) {
		panic(fmt.Sprintf("not refused: %v", err))
	}
	equal("the status", answer.StatusCode, status)
	check(fmt.Sprintf("errors %q lack %q", answer.Errors, text), strings.Contains(strings.Join(answer.Errors, "\n"), text))
}

func text(value any) string {
	found, isText := value.(string)
	check(fmt.Sprintf("%#v is no text", value), isText && found != "")
	return found
}

func texts(value any) []string {
	var found []string
	for _, each := range value.([]any) {
		found = append(found, each.(string))
	}
	return found
}

func file(variable string) string {
	return string(must(os.ReadFile(os.Getenv(variable))))
}

type fields = map[string]any
