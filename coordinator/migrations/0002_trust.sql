CREATE TABLE `confirmations` (
	`previous` text NOT NULL,
	`member` text NOT NULL,
	`charter` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`previous`, `member`),
	FOREIGN KEY (`charter`) REFERENCES `charters`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `draws` (
	`round` text PRIMARY KEY NOT NULL,
	`seed` text NOT NULL,
	`custodian` text NOT NULL,
	`revealed_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `log_hashes` (
	`height` integer NOT NULL,
	`index` integer NOT NULL,
	`hash` blob NOT NULL,
	PRIMARY KEY(`height`, `index`)
);
--> statement-breakpoint
CREATE TABLE `logins` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `logins_by_researcher` ON `logins` (`researcher`);--> statement-breakpoint
CREATE TABLE `offers` (
	`member` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`issued_at` integer NOT NULL,
	`received_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `recounts` (
	`round` text PRIMARY KEY NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `releases` (
	`round` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`compact` text NOT NULL,
	`file` blob NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `releases_id_unique` ON `releases` (`id`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` text PRIMARY KEY NOT NULL,
	`target` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `revocations_by_target` ON `revocations` (`target`);--> statement-breakpoint
CREATE TABLE `sponsorships` (
	`id` text PRIMARY KEY NOT NULL,
	`sponsor` text NOT NULL,
	`researcher` text,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `sponsorships_by_researcher` ON `sponsorships` (`researcher`);--> statement-breakpoint
CREATE TABLE `void_statements` (
	`round` text NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `custodian`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
DROP INDEX `parties_role_subject_unique`;--> statement-breakpoint
ALTER TABLE `parties` ADD `sponsor` text;--> statement-breakpoint
ALTER TABLE `parties` ADD `is_replacement` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `parties` ADD `ended_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `parties_one_key` ON `parties` (`role`,`subject`,`is_replacement`) WHERE ended_at IS NULL;--> statement-breakpoint
ALTER TABLE `invitations` ADD `is_replacement` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `rounds` ADD `void_certificate` text;--> statement-breakpoint
ALTER TABLE `rounds` ADD `void_certificate_id` text;--> statement-breakpoint
CREATE INDEX `rounds_by_cohort` ON `rounds` (`cohort_id`);--> statement-breakpoint
CREATE INDEX `rounds_by_void_certificate` ON `rounds` (`void_certificate_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `charters_one_in_force` ON `charters` (`epoch`) WHERE in_force_at IS NOT NULL;--> statement-breakpoint
CREATE INDEX `log_by_message` ON `log` (`message`);