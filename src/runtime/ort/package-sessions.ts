/** The graphs of one package on one device, over one copy of its weights. */
import { readFileSync } from 'node:fs';
import { CalmError } from '../../errors.js';
import type { GraphName } from '../manifest.js';
import { type ModelPackage, packageFile } from '../open-package.js';
import type { OrtEnvironment } from './environment.js';
import { checkGraphContract } from './graph-contract.js';
import type { GraphSource } from './graph-source.js';
import { type Closable, HandleStack } from './handle.js';
import type { Device } from './memory.js';
import { Session } from './session.js';
import { Weights } from './weights.js';

/** Opens graphs when they are first asked for and owns them, and the weights under them. */
export class PackageSessions implements Closable {
  readonly package: ModelPackage;
  readonly environment: OrtEnvironment;
  readonly device: Device;
  readonly #owned = new HandleStack();
  readonly #profilePrefix: string | undefined;
  readonly #weights: Weights;
  readonly #sessions = new Map<GraphName, Session>();

  /** With `profilePrefix`, the start of a path, runs are recorded for `Session.endProfiling`. */
  constructor(environment: OrtEnvironment, model: ModelPackage, device: Device, profilePrefix?: string) {
    this.#profilePrefix = profilePrefix;
    this.environment = environment;
    this.package = model;
    this.device = device;
    const { file, tensors } = model.manifest.weights;
    this.#weights = this.#owned.own(Weights.open(environment.library, packageFile(model, file), tensors));
  }

  /** The session of a graph. Throws CalmError 'bad_package' where the package has no such graph or a broken one. */
  open(name: GraphName): Session {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    return this.#keep(name, Session.open(this.environment, this.#source(name), this.device));
  }

  /** Opens a graph without holding up the event loop; `open` then has it. Calls must not overlap. */
  async prepare(name: GraphName): Promise<void> {
    if (this.#sessions.has(name)) return;
    this.#keep(name, await Session.openAside(this.environment, this.#source(name), this.device));
  }

  #keep(name: GraphName, session: Session): Session {
    this.#owned.own(session);
    checkGraphContract(session, this.package.manifest, name);
    this.#sessions.set(name, session);
    return session;
  }

  #source(name: GraphName): GraphSource {
    const graph = this.package.manifest.graphs[name];
    if (graph === undefined) {
      throw new CalmError(
        'bad_package',
        `The package ${this.package.directory} has no graph "${name}"; convert the model again.`,
      );
    }
    const file = packageFile(this.package, graph.file);
    return {
      file,
      model: readFileSync(file),
      initializers: graph.initializers,
      weights: this.#weights,
      profilePrefix: this.#profilePrefix,
    };
  }

  /** Gives back memory that only the opening of sessions needed; to be called once the wanted ones are open. */
  trim(): void {
    this.#weights.trim();
  }

  close(): void {
    this.#owned.close();
    this.#sessions.clear();
  }
}
