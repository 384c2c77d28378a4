// Open Inference Protocol v2 from Go's own library. go run rest.go [ADDRESS]
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	address := append(os.Args, "http://127.0.0.1:8000")[1]
	tensor := `{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}]}`
	reply, err := http.Post(address+"/v2/models/add_one/infer", "application/json", strings.NewReader(tensor))
	if err != nil {
		panic(err)
	}
	text, _ := io.ReadAll(reply.Body)
	fmt.Println(reply.Status, string(text))
}
