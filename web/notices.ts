import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const FILE = "THIRD-PARTY.txt";
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const LICENCE = /^(licen[cs]e|copying|notice)(\.|$)/i;

/** Puts the licences of all packages that the built client holds into a file beside it. */
export function notices(): Plugin {
  return {
    name: "notices",
    apply: "build",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((made) =>
        made.type === "chunk" ? made.moduleIds : [],
      );
      const folders = new Set(modules.flatMap((id) => packageOf(id) ?? []));
      const source = [...folders].map(noticeOf).sort().join("\n\n");
      this.emitFile({ type: "asset", fileName: FILE, source });
    },
  };
}

/** The folder of the package that a module is of; undefined: it is our own. */
function packageOf(id: string): string | undefined {
  return PACKAGE.exec(id.replaceAll("\\", "/"))?.[0];
}

/** What a package wants to be said of it. Throws if it does not come with its licence. */
function noticeOf(folder: string): string {
  const about = join(folder, "package.json");
  if (!existsSync(about)) throw new Error(`no package is in ${folder}`);
  const { name, version, license } = JSON.parse(readFileSync(about, "utf8"));
  const files = readdirSync(folder).filter((file) => LICENCE.test(file));
  if (files.length === 0) throw new Error(`${name} comes without its licence`);
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
}
