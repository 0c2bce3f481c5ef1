BEGIN TRANSACTION;
CREATE TABLE images (
        image_id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        job_id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        relpath TEXT NOT NULL,
        mimetype TEXT NOT NULL,
        thumbnail_type TEXT NOT NULL,
        private INTEGER NOT NULL,
        created_at REAL NOT NULL,
        delivered_at REAL,
        gone_at REAL
    );
INSERT INTO "images" VALUES('97eba3b241f44f91813171554b0c70e9','otterbot','01a228930acb45ec8f0c4754379109f5',0,'2026-11-29/otter_20261129183138.png','image/png','image/jpeg',0,1.79597709840934777257e+09,NULL,NULL);
INSERT INTO "images" VALUES('1fe912bcf495446b9ea4ef4047099ab7','otterbot','01a22893ba07d7821a962c25304d78e3',0,'2026-11-29/penguin_20261129183142.png','image/png','image/jpeg',0,1.79597710255675101272e+09,NULL,NULL);
INSERT INTO "images" VALUES('6e17c7025c0f4389bd87b2be05cc87b6','otterbot','01a22893c59238c961f80b1dd1ed814d',0,'2026-11-29/fox_20261129183145.png','image/png','image/jpeg',0,1.79597710543355154992e+09,NULL,NULL);
INSERT INTO "images" VALUES('0335fb549e1143e89796bb4da9358bb9','otterbot','01a22893d083adba4cc5f87be6ee189f',0,'2026-11-29/badger_20261129183147.png','image/png','image/jpeg',1,1.79597710729174661636e+09,NULL,NULL);
CREATE TABLE inputs (
        client TEXT NOT NULL,
        id TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        private INTEGER NOT NULL,
        used_at REAL NOT NULL, alpha INTEGER NOT NULL DEFAULT 0, animated INTEGER NOT NULL DEFAULT 0, colours TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (client, id)
    ) WITHOUT ROWID;
INSERT INTO "inputs" VALUES('otterbot','3b851b127e34c888c6ced176226545a8f313cb8ceea1192624df289481893f4d',96,64,775,0,1.79597710800747823716e+09,1,0,'');
INSERT INTO "inputs" VALUES('otterbot','799bde9690d567dc0a43dd52e2236d86e094788d72cd6eb1fc95b5af2177b1e2',96,64,707,0,1.79597710273873639101e+09,0,0,'');
CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('image', 'chat')),
        owner TEXT NOT NULL,
        room TEXT NOT NULL,
        private INTEGER NOT NULL,
        created_at REAL NOT NULL,
        request TEXT NOT NULL,
        content TEXT,
        forgotten INTEGER NOT NULL DEFAULT 0,
        UNIQUE (client, key)
    );
INSERT INTO "jobs" VALUES('01a228930acb45ec8f0c4754379109f5','otterbot','kept-plain','c650f7e046eabe8210dd0114c9aaf7a2f6abb8464d049a25563d63ed1e2d61b6','image','@ann:old.test','!room:old.test',0,1.7959770549231042862e+09,'{"prompt": "otter, (cowboy hat:1.2)", "negative_prompt": "blurry", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {"steps": 2, "seed": 7}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893ba07d7821a962c25304d78e3','otterbot','kept-extras','eb8bf3188c1b3eb6c2aad2d071e9e11b8b083238779827a0aaf4a0a79ef35f39','image','@ann:old.test','!room:old.test',0,1.79597709978342151646e+09,'{"prompt": "a penguin, ottoline <lora:penguin:0.8>", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": {"seed": 42, "strength": 0.2}, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [{"name": "penguin", "weight": 0.8, "hash": "3f5a3ed69dee28ad6393c519af71f51467fc7a997f5712b7fd641265d2caedbe", "autov3": "b6f07d62aac5"}], "embeddings": [{"token": "ottoline", "name": "ottoline", "hash": "6eee760192279e380431c042bddb10ddd73b2a6d6542d61d6078e315126102b7"}], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893c59238c961f80b1dd1ed814d','otterbot','kept-changed','dcdce58ec5e434672b816a74e9046102327ec42a8e3e6e6fd48c3cd6227680bd','image','@ann:old.test','!room:old.test',0,1.79597710273873639101e+09,'{"prompt": "a fox in the snow", "negative_prompt": "", "model": "otter-mini", "steps": 4, "guidance_scale": 5.0, "width": 160, "height": 104, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": {"id": "799bde9690d567dc0a43dd52e2236d86e094788d72cd6eb1fc95b5af2177b1e2", "width": 96, "height": 64}, "strength": 0.6, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893d083adba4cc5f87be6ee189f','otterbot','kept-private','952b63c28dc14c6ae43df87ae6b1eb56b9a220eaf6ef14e7c8805281051c85f9','image','@ann:old.test','!room:old.test',1,1.79597710553953647614e+09,'{"prompt": "a secret badger", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": "badger", "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893d7ac1babbe334ebc59249180','otterbot','kept-said','5060d1c62b1bfafef5e0b572a792890d5b019c09d4acd00821dc8c1e6ef5e578','chat','@ann:old.test','!room:old.test',0,1.79597710737293243411e+09,'{"model": "tiny"}','[{"role": "user", "content": "why do otters hold hands?"}]',0);
INSERT INTO "jobs" VALUES('01a22893d8306efeb2de260ba4937c91','otterbot','kept-unsaid','6c1d5cc4438bdaebd7413925ff4fa4f88ca04f98416613edf1ef6b04d0ec6171','chat','@ann:old.test','!room:old.test',0,1.79597710750406861302e+09,'{"model": "nobody"}','[{"role": "user", "content": "hello"}]',0);
INSERT INTO "jobs" VALUES('01a22893d8e378b9c1c6bdc9c63836dd','otterbot','kept-cancelled','a2df597610f2c43cf0dd70ed2bb8e46a938e31fd27453ec4c12062dd414d7639','image','@ann:old.test','!room:old.test',0,1.79597710768305110929e+09,'{"prompt": "not any more", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893d9110c9409e5e21ec91c17cd','otterbot','kept-failed','bb1e9877fffd97fd9d2204305140897e72145baae219cd86931e683caf986bcb','image','@ann:old.test','!room:old.test',0,1.79597710772912240026e+09,'{"prompt": "an otter <lora:gone>", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [{"name": "gone", "weight": 1.0, "hash": "3f5a3ed69dee28ad6393c519af71f51467fc7a997f5712b7fd641265d2caedbe", "autov3": "b6f07d62aac5"}], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893da01b0bef33ec7cbf241e699','otterbot','kept-runs','fe817e6c396036278fe39b1d6a32aca50c317aa4d4a828c509aa6ec577edf509','image','@ann:old.test','!room:old.test',0,1.79597710796996188169e+09,'{"prompt": "otter", "negative_prompt": "", "model": "otter-mini", "steps": 60, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893da0d3c312e18ea846518b91d','otterbot','kept-waits','56f1261bc3123e30e95357397cbe5fe7cc7edc49e3f65f0e46be10a1c148f1a6','image','@ann:old.test','!room:old.test',0,1.79597710798110890388e+09,'{"prompt": "an owl on a ball", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 2, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": [], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893da279d6e05ee415b40cb3155','otterbot','kept-waits-to-change','22a8fac05b73e414b81d26c4aaf15a1a3f241f0ac4cf28c38eb6ed76d8e2f0d0','image','@ann:old.test','!room:old.test',0,1.79597710800747823716e+09,'{"prompt": "a wolf", "negative_prompt": "", "model": "otter-mini", "steps": 4, "guidance_scale": 5.0, "width": 160, "height": 104, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": {"id": "3b851b127e34c888c6ced176226545a8f313cb8ceea1192624df289481893f4d", "width": 96, "height": 64}, "strength": 1.0, "mask": {"id": "3b851b127e34c888c6ced176226545a8f313cb8ceea1192624df289481893f4d", "alpha": true}, "control": null, "hires": null, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": false, "notes": ["The mask leaves 50 % of the picture to be drawn anew; the rest is only scaled, to 160x104."], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893da3048f25515aadb1f94d559','otterbot','kept-waits-to-be-large','f39cea5f02b4101a48ac2cd99a467f4b00fa7a8f16cad334e15d1a6a96b564dd','image','@ann:old.test','!room:old.test',0,1.79597710801642274861e+09,'{"prompt": "a cat", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "canvas": null, "sampler": "UniPC", "seed": 7, "variation": null, "count": 1, "init_image": null, "strength": null, "mask": null, "control": null, "hires": {"scale": 1.5, "strength": 0.4, "steps": 2, "upscaler": "lanczos", "width": 192, "height": 192, "tile": [128, 128]}, "upscale": null, "theme": null, "loras": [], "embeddings": [], "safety": false, "preview": true, "notes": ["Drawn at 128x128, then at 192x192: there a strength of 0.4 takes one step, the last of 3.", "It was drawn in 4 overlapping tiles of 128x128, and without the words: otter-mini would draw all that they say in each of the tiles."], "asked": {}}',NULL,0);
INSERT INTO "jobs" VALUES('01a22893da3fda7963b1d5564fb36f26','otterbot','kept-waits-to-be-said','23657f3258315bc958ba318b530e2b7c6b852e52bd36ea4b93f1e24b52b7da9e','chat','@ann:old.test','!room:old.test',0,1.79597710803160881998e+09,'{"model": "tiny"}','[{"role": "user", "content": "are you there?"}]',0);
CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "meta" VALUES('pause','{"paused": false, "until": null}');
CREATE TABLE rows (
        seq INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        idx INTEGER NOT NULL,
        client TEXT NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        model TEXT NOT NULL,
        work REAL NOT NULL,
        seed INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        attempt INTEGER NOT NULL DEFAULT 0,
        gpu_deaths INTEGER NOT NULL DEFAULT 0,
        worker_deaths INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        claimed_at REAL,
        finished_at REAL,
        overtaken INTEGER NOT NULL DEFAULT 0,
        overtaken_at REAL,
        result TEXT,
        error TEXT,
        UNIQUE (job_id, idx)
    );
INSERT INTO "rows" VALUES(1,'01a228930acb45ec8f0c4754379109f5',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'succeeded',1,0,0,1.7959770549231042862e+09,1.79597705497736287111e+09,1.79597709840934777257e+09,0,NULL,'{"image_id": "97eba3b241f44f91813171554b0c70e9", "filename": "otter_20261129183138.png", "mimetype": "image/png", "size": 23627, "sha256": "40778ceece58bcd44b9d65793767fe1a3ddbf2e3e24a0399eaa04a4c984f0de4", "width": 128, "height": 128, "blurhash": "LcMaR@%M?wx^^*RiItf,%Lt8M|R%", "thumbnail": {"width": 128, "height": 128, "size": 3155, "mimetype": "image/jpeg", "sha256": "99ed1f59b2665ac5bbf69e3eadb2c0b9d501d8830ac7eac38be3c6a52d74a477"}, "record": {"v": 1, "asked": {"steps": 2, "seed": 7}, "used": {"prompt": "otter, (cowboy hat:1.2)", "negative_prompt": "blurry", "model": "otter-mini", "model_hash": "48b9f33266fdf5d0", "sampler": "UniPC", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "seed": 7, "variation": null, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "tile": null, "loras": [], "embeddings": [], "refiner": null, "vae": null, "safety": false, "plan": "resident", "parser": "otterbot-6", "versions": {"otterbot-worker": "0.1.0", "torch": "2.13.0+cpu", "diffusers": "0.42.1", "transformers": "5.23.0", "compel": "2.5.1", "pillow": "13.0.0", "device": "Intel(R) Xeon(R) Processor", "precision": "float32", "threads": "1"}}, "took": 43.218}, "notes": []}',NULL);
INSERT INTO "rows" VALUES(2,'01a22893ba07d7821a962c25304d78e3',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'succeeded',1,0,0,1.79597709978342151646e+09,1.79597709980573773383e+09,1.79597710255675101272e+09,0,NULL,'{"image_id": "1fe912bcf495446b9ea4ef4047099ab7", "filename": "penguin_20261129183142.png", "mimetype": "image/png", "size": 24821, "sha256": "cb998f4f5c65fcc958a553423d9c95d282456ee7d15373a357d316b94c16b942", "width": 128, "height": 128, "blurhash": "LdQlpu%f~A-.^+R*NFs.%KsDEQNH", "thumbnail": {"width": 128, "height": 128, "size": 3844, "mimetype": "image/jpeg", "sha256": "fc33ce0072316ac984b8d421d719dd9a61a784f155cd61eb5e2b8a8dd25e7d7d"}, "record": {"v": 1, "asked": {}, "used": {"prompt": "a penguin, ottoline <lora:penguin:0.8>", "negative_prompt": "", "model": "otter-mini", "model_hash": "48b9f33266fdf5d0", "sampler": "UniPC", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "seed": 7, "variation": {"seed": 42, "strength": 0.2}, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "tile": null, "loras": [{"name": "penguin", "weight": 0.8, "hash": "3f5a3ed69dee28ad6393c519af71f51467fc7a997f5712b7fd641265d2caedbe", "autov3": "b6f07d62aac5"}], "embeddings": [{"token": "ottoline", "name": "ottoline", "hash": "6eee760192279e380431c042bddb10ddd73b2a6d6542d61d6078e315126102b7"}], "refiner": null, "vae": null, "safety": false, "plan": "resident", "parser": "otterbot-6", "versions": {"otterbot-worker": "0.1.0", "torch": "2.13.0+cpu", "diffusers": "0.42.1", "transformers": "5.23.0", "compel": "2.5.1", "pillow": "13.0.0", "device": "Intel(R) Xeon(R) Processor", "precision": "float32", "threads": "1"}}, "took": 2.677}, "notes": []}',NULL);
INSERT INTO "rows" VALUES(3,'01a22893c59238c961f80b1dd1ed814d',0,'otterbot','@ann:old.test','image','otter-mini',0.03328,7,'succeeded',1,0,0,1.79597710273873639101e+09,1.7959771028190917968e+09,1.79597710543355154992e+09,0,NULL,'{"image_id": "6e17c7025c0f4389bd87b2be05cc87b6", "filename": "fox_20261129183145.png", "mimetype": "image/png", "size": 27265, "sha256": "9ccab0f82bb0f594319f628e97b2241efe0f973ce05a9ef70aab95d874f162d7", "width": 160, "height": 104, "blurhash": "LSL}HZQqT{K*23RmrXt7ksXn$yv|", "thumbnail": {"width": 160, "height": 104, "size": 4573, "mimetype": "image/jpeg", "sha256": "911fb2c24a96cd706c6989d2b4c24ddc66ff9a163e1c71e0ece2f5d3531914a2"}, "record": {"v": 1, "asked": {}, "used": {"prompt": "a fox in the snow", "negative_prompt": "", "model": "otter-mini", "model_hash": "48b9f33266fdf5d0", "sampler": "UniPC", "steps": 4, "guidance_scale": 5.0, "width": 160, "height": 104, "seed": 7, "variation": null, "init_image": "799bde9690d567dc0a43dd52e2236d86e094788d72cd6eb1fc95b5af2177b1e2", "strength": 0.6, "mask": null, "control": null, "hires": null, "upscale": null, "tile": null, "loras": [], "embeddings": [], "refiner": null, "vae": null, "safety": false, "plan": "resident", "parser": "otterbot-6", "versions": {"otterbot-worker": "0.1.0", "torch": "2.13.0+cpu", "diffusers": "0.42.1", "transformers": "5.23.0", "compel": "2.5.1", "pillow": "13.0.0", "device": "Intel(R) Xeon(R) Processor", "precision": "float32", "threads": "1"}}, "took": 2.55}, "notes": ["The picture has 96x64 pixels and was drawn at 160x104 (its shape, in multiples of 8). A strength of 0.6 takes 2 of the 4 steps."]}',NULL);
INSERT INTO "rows" VALUES(4,'01a22893d083adba4cc5f87be6ee189f',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'succeeded',1,0,0,1.79597710553953647614e+09,1.79597710557443618773e+09,1.79597710729174661636e+09,0,NULL,'{"image_id": "0335fb549e1143e89796bb4da9358bb9", "filename": "badger_20261129183147.png", "mimetype": "image/png", "size": 26925, "sha256": "65f2ad96b2409e04931fd3b97613222c46ac17d57e1ec244ff4449998566ebed", "width": 128, "height": 128, "blurhash": "LZOWTQ$|~k?F~Vk9I@og$_aeIrR-", "thumbnail": {"width": 128, "height": 128, "size": 4461, "mimetype": "image/jpeg", "sha256": "aafbdb9a03b0448e7567bc2f444ae2a8dd2d37bef4c11a7636efdd388e7aa418"}, "record": {"v": 1, "asked": {}, "used": {"prompt": "a secret badger", "negative_prompt": "", "model": "otter-mini", "model_hash": "48b9f33266fdf5d0", "sampler": "UniPC", "steps": 2, "guidance_scale": 5.0, "width": 128, "height": 128, "seed": 7, "variation": null, "init_image": null, "strength": null, "mask": null, "control": null, "hires": null, "upscale": null, "tile": null, "loras": [], "embeddings": [], "refiner": null, "vae": null, "safety": false, "plan": "resident", "parser": "otterbot-6", "versions": {"otterbot-worker": "0.1.0", "torch": "2.13.0+cpu", "diffusers": "0.42.1", "transformers": "5.23.0", "compel": "2.5.1", "pillow": "13.0.0", "device": "Intel(R) Xeon(R) Processor", "precision": "float32", "threads": "1"}}, "took": 1.666}, "notes": []}',NULL);
INSERT INTO "rows" VALUES(5,'01a22893d7ac1babbe334ebc59249180',0,'otterbot','@ann:old.test','chat','tiny',0.0,0,'succeeded',1,0,0,1.79597710737293243411e+09,1.79597710738484048838e+09,1.79597710744943308831e+09,0,NULL,'{"text": "Heard 1 message.\n- user: why do otters hold hands?\n\nYou said: why do otters hold hands?", "model": "tiny", "complete": true, "took": 0.063, "notes": []}',NULL);
INSERT INTO "rows" VALUES(6,'01a22893d8306efeb2de260ba4937c91',0,'otterbot','@ann:old.test','chat','nobody',0.0,0,'failed',1,0,0,1.79597710750406861302e+09,1.79597710751163220409e+09,1.79597710752326869968e+09,0,NULL,NULL,'{"code": "chat_model_missing", "message": "The chat model nobody is not installed. The operator can fetch it with `ollama pull nobody`.", "details": {"model": "nobody", "command": "ollama pull nobody"}}');
INSERT INTO "rows" VALUES(7,'01a22893d8e378b9c1c6bdc9c63836dd',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'cancelled',0,0,0,1.79597710768305110929e+09,NULL,1.79597710769272875782e+09,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(8,'01a22893d9110c9409e5e21ec91c17cd',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'failed',1,0,0,1.79597710772912240026e+09,1.79597710788819217683e+09,1.7959771078929381371e+09,0,NULL,NULL,'{"code": "lora_missing", "message": "The LoRA gone is not on the worker any more.", "details": {"lora": "gone"}}');
INSERT INTO "rows" VALUES(9,'01a22893da01b0bef33ec7cbf241e699',0,'otterbot','@ann:old.test','image','otter-mini',0.98304,7,'running',1,0,0,1.79597710796996188169e+09,1.79597710797538304321e+09,NULL,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(10,'01a22893da0d3c312e18ea846518b91d',0,'otterbot','@ann:old.test','image','otter-mini',0.032768,7,'queued',0,0,0,1.79597710798110890388e+09,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(11,'01a22893da0d3c312e18ea846518b91d',1,'otterbot','@ann:old.test','image','otter-mini',0.032768,8,'queued',0,0,0,1.79597710798110890388e+09,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(12,'01a22893da279d6e05ee415b40cb3155',0,'otterbot','@ann:old.test','image','otter-mini',0.06656,7,'queued',0,0,0,1.79597710800747823716e+09,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(13,'01a22893da3048f25515aadb1f94d559',0,'otterbot','@ann:old.test','image','otter-mini',0.098304,7,'queued',0,0,0,1.79597710801642274861e+09,NULL,NULL,0,NULL,NULL,NULL);
INSERT INTO "rows" VALUES(14,'01a22893da3fda7963b1d5564fb36f26',0,'otterbot','@ann:old.test','chat','tiny',0.0,0,'queued',0,0,0,1.79597710803160881998e+09,NULL,NULL,0,NULL,NULL,NULL);
CREATE TABLE served (
        client TEXT NOT NULL,
        owner TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (client, owner)
    ) WITHOUT ROWID;
INSERT INTO "served" VALUES('otterbot','@ann:old.test',1.79597710797538304321e+09);
CREATE TABLE speeds (
        name TEXT PRIMARY KEY,
        value REAL NOT NULL,
        samples INTEGER NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "speeds" VALUES('chat/tiny/turn',0.0630757930002801,1);
INSERT INTO "speeds" VALUES('image/otter-mini/finish',4.19876093792359199579e+01,4);
INSERT INTO "speeds" VALUES('image/otter-mini/load',2.22899110199978167656e+00,1);
INSERT INTO "speeds" VALUES('image/otter-mini/mps',1.54769847502806076611e-02,4);
CREATE INDEX jobs_age ON jobs (created_at);
CREATE INDEX jobs_of_client ON jobs (client, created_at);
CREATE INDEX jobs_content ON jobs (id) WHERE content IS NOT NULL;
CREATE INDEX jobs_private ON jobs (id) WHERE private = 1 AND forgotten = 0;
CREATE INDEX rows_open ON rows (client, owner, kind, model, state, seq, work, job_id)
        WHERE state IN ('queued', 'running');
CREATE INDEX rows_running ON rows (seq) WHERE state = 'running';
CREATE INDEX images_relpath ON images (relpath);
CREATE INDEX images_job ON images (job_id);
CREATE INDEX images_here ON images (image_id) WHERE gone_at IS NULL;
COMMIT;
PRAGMA user_version = 5;
