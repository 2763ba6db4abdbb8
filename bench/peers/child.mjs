// child.mjs - a peer's server process: started on a free port, killed, started again on the same port.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/lib/proxy.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));

export class Child {
  // script: below bench/peers; ready: what it prints when it serves
  constructor(script, ready, env = {}) {
    Object.assign(this, { script, ready, env, log: '' });
    this.onExit = () => { try { this.process?.kill('SIGKILL'); } catch { /* gone */ } };
    process.on('exit', this.onExit);
  }

  async start() {
    this.port ??= await freePort();
    this.process = spawn(process.execPath, [join(HERE, this.script)], {
      cwd: HERE,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(this.port), ...this.env },
    });
    this.exited = new Promise((resolve) => this.process.once('close', resolve));
    this.running = true;
    this.exited.then(() => { this.running = false; });
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.script} does not serve after 20 s:\n${this.log}`)), 20000);
      const take = (chunk) => {
        this.log = (this.log + chunk).slice(-20000);
        if (!this.log.includes(this.ready)) return;
        clearTimeout(timer);
        resolve();
      };
      this.log = '';
      this.process.stdout.setEncoding('utf8').on('data', take);
      this.process.stderr.setEncoding('utf8').on('data', take);
      this.exited.then(() => reject(new Error(`${this.script} ended:\n${this.log}`)));
    });
    return this;
  }

  get pid() {
    return this.process.pid;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}`;
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  async stop() {
    await this.kill();
    process.removeListener('exit', this.onExit);
  }
}
