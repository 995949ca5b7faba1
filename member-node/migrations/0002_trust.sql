CREATE TABLE `charter_signatures` (
	`charter` text PRIMARY KEY NOT NULL,
	`signatures` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `confirmations` (
	`previous` text PRIMARY KEY NOT NULL,
	`charter` text NOT NULL,
	`compact` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `decisions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`round` text NOT NULL,
	`steward` text NOT NULL,
	`verdict` text NOT NULL,
	`basis` text NOT NULL,
	`compact` text NOT NULL,
	`decided_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `queue`(`round`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `decisions_round_steward_basis_verdict_unique` ON `decisions` (`round`,`steward`,`basis`,`verdict`);--> statement-breakpoint
CREATE TABLE `ended_custodies` (
	`charter` text PRIMARY KEY NOT NULL,
	`next` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `log_entries` (
	`history` integer NOT NULL,
	`index` integer NOT NULL,
	`typ` text NOT NULL,
	`message` text NOT NULL,
	PRIMARY KEY(`history`, `index`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `log_entries_history_message_unique` ON `log_entries` (`history`,`message`);--> statement-breakpoint
CREATE TABLE `log_reading` (
	`history` integer PRIMARY KEY NOT NULL,
	`since` integer NOT NULL,
	`size` integer NOT NULL,
	`subtrees` blob NOT NULL
);
--> statement-breakpoint
CREATE TABLE `notices` (
	`round` text NOT NULL,
	`event` text NOT NULL,
	`way` text NOT NULL,
	`tries` integer NOT NULL,
	`next_try` integer NOT NULL,
	`sent_at` integer,
	PRIMARY KEY(`round`, `event`, `way`),
	FOREIGN KEY (`round`) REFERENCES `queue`(`round`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `offers` (
	`issued_at` integer PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`sent_at` integer
);
--> statement-breakpoint
CREATE TABLE `past_cohorts` (
	`cohort` text PRIMARY KEY NOT NULL,
	`round` text NOT NULL,
	`query` text NOT NULL,
	`charter` text NOT NULL,
	`asked` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `policies` (
	`version` integer PRIMARY KEY NOT NULL,
	`sha256` text NOT NULL,
	`text` text NOT NULL,
	`since` integer NOT NULL,
	`signatures_to_follow` integer NOT NULL,
	`admitted_by` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `policy_signatures` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy` text NOT NULL,
	`follows` integer NOT NULL,
	`steward` text,
	`public_key` text NOT NULL,
	`compact` text NOT NULL,
	`signed_at` integer NOT NULL,
	FOREIGN KEY (`follows`) REFERENCES `policies`(`version`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `policy_signatures_policy_follows_public_key_unique` ON `policy_signatures` (`policy`,`follows`,`public_key`);--> statement-breakpoint
CREATE TABLE `queue` (
	`round` text PRIMARY KEY NOT NULL,
	`since` integer NOT NULL,
	`expires` integer NOT NULL,
	`hands` integer NOT NULL,
	`policy` text NOT NULL,
	`reasons` text NOT NULL,
	`basis` text NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `recalled_answers` (
	`round` text PRIMARY KEY NOT NULL,
	`query_compact` text NOT NULL,
	`manifest` text NOT NULL,
	`answered_by` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `recounts` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`opens` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `restorations` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`takes_part_from` integer NOT NULL,
	`history` integer NOT NULL,
	`log_size` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` text PRIMARY KEY NOT NULL,
	`target` text NOT NULL,
	`compact` text NOT NULL,
	`learned_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `revocations_by_target` ON `revocations` (`target`);--> statement-breakpoint
CREATE TABLE `sponsorships` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `void_rounds` (
	`round` text PRIMARY KEY NOT NULL,
	`certificate` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `void_statements` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`consent` text,
	`in_force_at` integer
);
--> statement-breakpoint
INSERT INTO `__new_charters`("id", "epoch", "compact", "consent", "in_force_at") SELECT "id", "epoch", "compact", "consent", "in_force_at" FROM `charters`;--> statement-breakpoint
DROP TABLE `charters`;--> statement-breakpoint
ALTER TABLE `__new_charters` RENAME TO `charters`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `charters_one_in_force` ON `charters` (`epoch`) WHERE in_force_at IS NOT NULL;--> statement-breakpoint
ALTER TABLE `prekeys` ADD `is_lost` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `rounds` ADD `opens` integer DEFAULT 0 NOT NULL;