// Open Inference Protocol v2 from Node (or a browser). node rest.mjs [ADDRESS]
const address = process.argv[2] ?? "http://127.0.0.1:8000";
const tensor = { name: "x", datatype: "FP32", shape: [1, 16], data: [...Array(16).keys()] };
const reply = await fetch(`${address}/v2/models/add_one/infer`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ inputs: [tensor] }),
});
if (!reply.ok) throw new Error((await reply.json()).error);
console.log((await reply.json()).outputs[0].data);
