CREATE TABLE `agreements` (
	`round` text PRIMARY KEY NOT NULL,
	`cohort` text NOT NULL,
	`cohort_compact` text NOT NULL,
	`compact` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`consent` text NOT NULL,
	`in_force_at` integer
);
--> statement-breakpoint
CREATE TABLE `contributions` (
	`round` text PRIMARY KEY NOT NULL,
	`manifest_id` text NOT NULL,
	`manifest` text NOT NULL,
	`sealed_shares` blob NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `openings` (
	`round` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`sealed` blob NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `prekeys` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`not_after` integer NOT NULL,
	`private_key` blob,
	`round` text,
	`published_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `prekeys_round_unique` ON `prekeys` (`round`);--> statement-breakpoint
CREATE TABLE `refusals` (
	`round` text NOT NULL,
	`step` text NOT NULL,
	`compact` text NOT NULL,
	`reason` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`round`, `step`)
);
--> statement-breakpoint
CREATE TABLE `rounds` (
	`id` text PRIMARY KEY NOT NULL,
	`query` text NOT NULL,
	`compact` text NOT NULL,
	`query_compact` text NOT NULL,
	`charter` text NOT NULL,
	`purpose` text NOT NULL,
	`researcher` text NOT NULL,
	`seen_at` integer NOT NULL,
	`ends` integer NOT NULL,
	`cleared_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `rounds_query_unique` ON `rounds` (`query`);--> statement-breakpoint
CREATE TABLE `seen_prekeys` (
	`prekey` text PRIMARY KEY NOT NULL,
	`round` text NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `shares` (
	`round` text NOT NULL,
	`dealer` text NOT NULL,
	`ciphertext` text NOT NULL,
	`sealed` blob NOT NULL,
	PRIMARY KEY(`round`, `dealer`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
