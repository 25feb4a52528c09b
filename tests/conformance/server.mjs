// A real server in a process of its own, started by its command.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PIPELINES = fileURLToPath(new URL('../support/pipelines', import.meta.url));
const COMMAND = process.env.RUNCAST ?? 'runcast';
const ADDRESS = /GraphQL +http:\/\/(\S+)\/graphql/;

// A signal would end this process without its `exit` event, and leave the server behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

export class Server {
  static async start() {
    const server = new Server();
    server.data = await mkdtemp(join(tmpdir(), 'runcast-'));
    server.port = 0;
    await server.run();
    return server;
  }

  /** Starts it, on the port that it had before if it had one. */
  async run() {
    const flags = ['--port', `${this.port}`, '--data', this.data, '--pipelines', PIPELINES, '--grace', '1'];
    const child = spawn(COMMAND, ['serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const orphaned = () => child.kill('SIGKILL');
    process.once('exit', orphaned);
    this.gone = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    }).then(() => process.off('exit', orphaned));
    this.said = '';
    this.complaints = '';
    child.stdout.on('data', (chunk) => (this.said += chunk));
    child.stderr.on('data', (chunk) => (this.complaints += chunk));
    await this.listens();
  }

  /** Fails if it does not stop within 20 seconds. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const late = () => this.child.kill('SIGKILL');
    const deadline = setTimeout(late, 20_000);
    await this.gone;
    clearTimeout(deadline);
    if (signal !== 'SIGKILL' && this.child.signalCode === 'SIGKILL') {
      throw new Error(`the server has not stopped: ${this.complaints}`);
    }
  }

  async end() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }

  async listens() {
    let ended = false;
    this.gone.then(() => (ended = true));
    const place = await eventually(() => {
      if (ended) throw new Error(`the server has ended: ${this.complaints}`);
      return this.said.match(ADDRESS)?.[1];
    });
    this.port = Number(place.split(':').at(-1));
    this.url = `http://${place}/graphql`;
    this.wsUrl = `ws://${place}/graphql`;
    await eventually(async () => (await fetch(`http://${place}/healthz`).catch(() => null))?.ok);
  }
}

/** Asks over plain HTTP, with no client in between. */
export async function ask(server, query, variables = {}) {
  const answer = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await answer.json()).data;
}

/** Resolves when `look` finds something; fails after 30 seconds. */
export async function eventually(look) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it has not come: ${look}`);
}
