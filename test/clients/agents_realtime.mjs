// Turns of @openai/agents-realtime, as it is and with its defaults: node agents_realtime.mjs URL KEY
// It reads the speech from stdin as PCM16, and prints the history as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/package.json`);
const { RealtimeAgent, RealtimeSession, tool } = require("@openai/agents-realtime");
const { z } = require("zod");

const [url, apiKey] = process.argv.slice(2);
const speech = readFileSync(0);
const silence = new ArrayBuffer(speech.length);
const until = (source, name, count = 1) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name}`)), 10_000);
    source.on(name, (...values) => {
      if (--count === 0) {
        clearTimeout(timer);
        resolve(values);
      }
    });
  });

const weather = tool({
  name: "get_weather",
  description: "The weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `Sunny in ${city}.`,
});
const agent = new RealtimeAgent({ name: "assistant", instructions: "Be brief.", tools: [weather] });
const session = new RealtimeSession(agent, { transport: "websocket" });
const errors = [];
let bytes = 0;
session.on("error", ({ error }) => errors.push(error));
session.on("audio", ({ data }) => (bytes += data.byteLength));
await session.connect({ url, apiKey });

let ended = until(session, "agent_end");
session.sendMessage("Hello.");
await ended;
const first = bytes;

ended = until(session, "agent_end", 2);
session.sendMessage("What is the weather in Paris?");
await ended;

ended = until(session, "agent_end");
session.sendAudio(speech.buffer.slice(speech.byteOffset, speech.byteOffset + speech.length));
session.sendAudio(silence);
await ended;

const begun = until(session, "audio_start");
session.sendMessage("Tell me a story.");
await begun;
await until(session, "audio", 3);
const interrupted = until(session, "audio_interrupted");
session.sendAudio(speech.buffer.slice(speech.byteOffset, speech.byteOffset + speech.length));
await interrupted;
await new Promise((resolve) => setTimeout(resolve, 200));

const said = session.history.map((item) =>
  item.type === "message" ? (item.content[0]?.text ?? item.content[0]?.transcript) : item.name,
);
console.log(JSON.stringify({ errors, first, said }));
session.close();
