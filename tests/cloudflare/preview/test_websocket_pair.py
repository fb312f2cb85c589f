"""The frames of a WebSocket in the preview: complete messages, and no needless copies."""

import json
import subprocess
from pathlib import Path

import mastra_deployer_cloudflare.preview
from tests.node import find_node

MODULE = Path(mastra_deployer_cloudflare.preview.__file__).with_name("websocket_pair.mjs")
SCRIPT = """
import { EventEmitter } from 'node:events';
const { connectSocket, WebSocketPair } = await import(process.argv[1]);
const original = Buffer.concat;
let copied = 0;
Buffer.concat = (parts, ...rest) => {
  const joined = original(parts, ...rest);
  copied += joined.length;
  return joined;
};
const socket = Object.assign(new EventEmitter(), { write() {}, end() { this.isEnded = true; } });
const pair = new WebSocketPair();
const sizes = [];
connectSocket(socket, 'key', pair[0], null);
pair[1].onmessage = ({ data }) => sizes.push(data.byteLength);
pair[1].accept();
function frame(size, head = 0x82) {
  const start = Buffer.alloc(14);
  start[0] = head;
  start[1] = 0xff;
  start.writeBigUInt64BE(BigInt(size), 2);
  return original([start, Buffer.alloc(size)]);
}
const large = 4 * 2 ** 20;
const bytes = original([frame(large), frame(5), frame(3, 0x02), frame(4, 0x80)]);
for (let at = 0; at < bytes.length; at += 4096) socket.emit('data', bytes.subarray(at, at + 4096));
for (const byte of frame(7)) socket.emit('data', Buffer.from([byte]));
await new Promise((resolve) => setTimeout(resolve, 50));
socket.emit('data', frame(33 * 2 ** 20).subarray(0, 100));
console.log(JSON.stringify({ sizes, copies: copied / large, isEnded: socket.isEnded }));
"""


def test_messages_arrive_whole_and_are_copied_a_few_times():
    command = [find_node(), "--input-type=module", "-e", SCRIPT, MODULE.as_uri()]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert result["sizes"] == [4 * 2**20, 5, 7, 7]
    assert result["copies"] < 10, "each chunk copies all that came before it"
    assert result["isEnded"], "a message of more than 32 MB ends the connection"
