import { createServer } from 'node:http';

/** The yardstick: node:http answering 250 bytes of JSON, and nothing else. Prints its port. */
const body = { request_id: '0'.repeat(36), data: { text: 'x'.repeat(170) } };
const server = createServer((message, response) => {
  message.resume();
  const text = JSON.stringify(body);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
