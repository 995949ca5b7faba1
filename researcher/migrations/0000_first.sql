CREATE TABLE `charters` (
	`epoch` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `queries` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`purpose` text NOT NULL,
	`asked_at` integer NOT NULL,
	`sent_at` integer,
	`private_key` blob,
	`answer` text,
	`void_reason` text
);
