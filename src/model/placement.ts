// Owns the nouns of an installation: what is to stand where, and how heddle remembers what it put there.

/** A file, or a symbolic link, that an installation has. */
export type Placement =
  | {
      /** Absolute, below the root. */
      path: string;
      /** Permission bits. */
      mode: number;
      text: string;
    }
  | { path: string; link: string };

/** What stands at a path now. "other": neither a plain file nor a symbolic link. */
export type Standing = { text: string; mode: number } | { link: string } | "other" | undefined;

/** What an installation remembers of one thing that it placed: a file by its SHA-256, a link by where it leads. */
export type Remembered = { path: string; sha256: string } | { path: string; link: string };

/** The memory of an installation, by which `heddle uninstall` knows what is its own. */
export interface InstallRecord {
  placed: Remembered[];
  /** Directories that were not there before, the outer ones first. */
  directories: string[];
}

/** Where the memory is, below the root. */
export const RECORD_FILE = "/var/lib/heddle/installed.json";
