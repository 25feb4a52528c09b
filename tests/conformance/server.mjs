// A real server in a process of its own, started by its command.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PIPELINES = fileURLToPath(new URL('../support/pipelines', import.meta.url));
const COMMAND = process.env.RUNCAST ?? 'runcast';
const ADDRESS = /GraphQL +http:\/\/(\S+)\/graphql/;

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
    this.process = spawn(COMMAND, ['serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.complaints = '';
    this.process.stderr.on('data', (chunk) => (this.complaints += chunk));
    const place = await this.address();
    this.port = Number(place.split(':').at(-1));
    this.url = `http://${place}/graphql`;
    this.wsUrl = `ws://${place}/graphql`;
    await this.answers(`http://${place}/healthz`);
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.gone;
  }

  async restart() {
    await this.stop();
    await this.run();
  }

  async end() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }

  address() {
    let said = '';
    return new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.gone.then(() => reject(new Error(`the server has ended: ${this.complaints}`)));
      this.process.stdout.on('data', (chunk) => {
        said += chunk;
        const found = said.match(ADDRESS);
        if (found) resolve(found[1]);
      });
    });
  }

  async answers(url) {
    for (let tries = 0; tries < 200; tries += 1) {
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${url} does not answer`);
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

/** Resolves when `look` finds something; fails after 20 seconds. */
export async function eventually(look) {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it has not come: ${look}`);
}
