import { encodeMessage, type Message } from '../message.ts';
import { type AgentCalls, type AgentOp, codecs, type Fields, readOp } from '../protocol.ts';
import { Hsm } from './hsm.ts';
import { serve } from './serve.ts';
import { readConnect } from './settings.ts';

/**
 * The PKCS#11 process: started by its parent with a channel, a small environment and no arguments; the only
 * process that a vendor's library is ever loaded into. It answers one message after the other. Its parent
 * kills it when an answer is late, and it ends by itself when the parent is gone.
 */
const hsm = new Hsm();

const operations: { [K in AgentOp]: (body: AgentCalls[K]['request']) => AgentCalls[K]['reply'] } = {
  open: () => hsm.attributes(),
  wrap: ({ plaintext, aad }) => {
    try {
      return hsm.wrap(plaintext, aad);
    } finally {
      plaintext.fill(0);
    }
  },
  unwrap: ({ sealed, aad }) => ({ plaintext: hsm.unwrap(sealed, aad) }),
  random: ({ length }) => ({ bytes: hsm.random(length) }),
  attributes: () => hsm.attributes(),
  health: () => {
    hsm.health();
    return {};
  },
  rehearse: ({ sealed, aad }) => {
    hsm.rehearse(sealed, aad);
    return {};
  },
};

function perform<K extends AgentOp>(op: K, message: Message): Fields {
  const codec = codecs[op];
  return codec.writeReply(operations[op](codec.readRequest(message)));
}

serve((message, id) => {
  if (message.head['op'] === 'connect') {
    const { settings, options, pin } = readConnect(message);
    try {
      return encodeMessage({ id, key: hsm.connect(settings, pin, options) });
    } finally {
      pin.fill(0);
    }
  }
  const { head, parts } = perform(readOp(message), message);
  const encoded = encodeMessage({ id, ...head }, parts);
  for (const bytes of Object.values(parts)) bytes.fill(0);
  return encoded;
});
