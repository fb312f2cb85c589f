// The class WebSocketPair of Workers, and the connection of its client side to a socket of Node.

import crypto from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const MAX_MESSAGE = 32 * 2 ** 20; // bytes, as on Cloudflare
const TOO_BIG = 1009;

// One side of a pair. Messages that arrive before accept() are kept.
class WebSocket {
  constructor() {
    this.peer = null;
    this.binaryType = 'blob';
    this.onopen = this.onmessage = this.onclose = null;
    this.isClosed = false;
    this.isAccepted = false;
    this.waiting = [];
  }

  accept() {
    this.isAccepted = true;
    queueMicrotask(() => { for (const [type, event] of this.waiting.splice(0)) this.emit(type, event); });
  }

  send(data) {
    if (this.isClosed) throw new TypeError("Can't call WebSocket send() after close().");
    // Data of Python is a view of its memory, which changes later.
    const copy = typeof data === 'string' ? data : new Uint8Array(data.buffer ?? data).slice(
      data.byteOffset ?? 0, (data.byteOffset ?? 0) + data.byteLength).buffer;
    this.peer.receive('message', { data: copy });
  }

  close(code = 1005, reason = '') {
    if (this.isClosed) return;
    this.isClosed = true;
    this.peer.receive('close', { code, reason, wasClean: true });
  }

  receive(type, event) {
    if (type === 'close') this.isClosed = true;
    if (this.isAccepted && !this.waiting.length) queueMicrotask(() => this.emit(type, event));
    else this.waiting.push([type, event]);
  }

  emit(type, event) { this[`on${type}`]?.(event); }
}

export class WebSocketPair {
  constructor() {
    this[0] = new WebSocket();
    this[1] = new WebSocket();
    this[0].peer = this[1];
    this[1].peer = this[0];
  }
}

// Answers an upgrade, and passes frames between the socket and the client side of a pair.
export function connectSocket(socket, key, side, protocol) {
  const accept = crypto.createHash('sha1').update(key + GUID).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`, ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : [])];
  socket.write(lines.join('\r\n') + '\r\n\r\n');
  side.onmessage = ({ data }) => {
    const isText = typeof data === 'string';
    socket.write(buildFrame(isText ? TEXT : BINARY, Buffer.from(data)));
  };
  side.onclose = ({ code, reason }) => {
    const body = Buffer.alloc(2 + Buffer.byteLength(reason ?? ''));
    body.writeUInt16BE(code === 1005 ? 1000 : code);
    body.write(reason ?? '', 2);
    socket.end(buildFrame(CLOSE, body));
  };
  side.accept();
  const parser = new FrameParser((opcode, data) => {
    if (opcode === TEXT) side.send(data.toString());
    else if (opcode === BINARY) side.send(new Uint8Array(data));
    else if (opcode === PING) socket.write(buildFrame(PONG, data));
    else if (opcode === CLOSE) {
      side.close(data.length >= 2 ? data.readUInt16BE() : 1005, data.subarray(2).toString());
      socket.end(buildFrame(CLOSE, data));
    }
  });
  socket.on('data', (data) => {
    if (parser.push(data)) return;
    side.close(TOO_BIG);
    socket.removeAllListeners('data');
    socket.end(buildFrame(CLOSE, Buffer.from([TOO_BIG >> 8, TOO_BIG & 255])));
  });
  socket.on('close', () => side.close(1006));
  socket.on('error', () => side.close(1006));
}

function buildFrame(opcode, data) {
  const size = data.length;
  const head = size < 126 ? Buffer.alloc(2) : size < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = size < 126 ? size : size < 65536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([head, data]);
}

class FrameParser {
  constructor(onMessage) {
    this.onMessage = onMessage;
    this.chunks = []; // what was received and not parsed yet
    this.length = 0; // bytes of the chunks
    this.needed = 0; // bytes of the next frame, as far as its head is known
    this.opcode = 0;
    this.parts = [];
    this.size = 0; // bytes of the message so far
    this.isTooBig = false;
  }

  // Returns false for a message that is too big.
  push(data) {
    this.chunks.push(data);
    this.length += data.length;
    if (this.length < this.needed) return true; // joining all chunks each time would take too long
    let rest = Buffer.concat(this.chunks);
    for (let size = this.readFrame(rest); size > 0; size = this.readFrame(rest)) rest = rest.subarray(size);
    [this.chunks, this.length] = [[rest], rest.length];
    return !this.isTooBig;
  }

  // Handles the first frame, and returns its bytes; returns 0 if the frame is incomplete or too big.
  readFrame(rest) {
    this.needed = 0;
    if (rest.length < 2) return 0;
    let size = rest[1] & 127;
    let offset = 2;
    if (size === 126) { if (rest.length < 4) return 0; size = rest.readUInt16BE(2); offset = 4; }
    else if (size === 127) {
      if (rest.length < 10) return 0;
      size = Number(rest.readBigUInt64BE(2));
      offset = 10;
    }
    this.isTooBig = this.size + size > MAX_MESSAGE;
    this.needed = offset + 4 + size;
    if (this.isTooBig || rest.length < this.needed) return 0;
    const end = this.needed;
    const mask = rest.subarray(offset, offset + 4);
    const data = Buffer.from(rest.subarray(offset + 4, end));
    for (let index = 0; index < size; index += 1) data[index] ^= mask[index % 4];
    this.handle(rest[0] & 15, Boolean(rest[0] & 128), data);
    return end;
  }

  handle(opcode, isLast, data) {
    if (opcode >= 8) { this.onMessage(opcode, data); return; }
    if (opcode) this.opcode = opcode;
    this.parts.push(data);
    this.size += data.length;
    if (!isLast) return;
    this.onMessage(this.opcode, Buffer.concat(this.parts));
    this.parts = [];
    this.size = 0;
  }
}
