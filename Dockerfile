# syntax=docker/dockerfile:1
# The server with the models of this checkout.
#
#   docker build -t calm-serve .                          for CPUs (x64, arm64)
#   docker build -t calm-serve:cuda --build-arg DEVICE=cuda .   with CUDA 13 (x64); run it with --gpus all
#
# docs/operations.md says how to run it.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG DEVICE=cpu

# Compiles: needs the compiler, and so all dependencies.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY bin bin
COPY scripts scripts
COPY src src
COPY loadtest loadtest
RUN npm run build

# What runs: no compiler, no test tools, and of the native library only what this platform can load.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund \
    && find node_modules/onnxruntime-node/bin/*/ -mindepth 2 -maxdepth 2 -type d \
        ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} +

# ONNX Runtime with CUDA, and the CUDA libraries that its wheel names: the very version of the npm package.
FROM ${PYTHON_IMAGE} AS cuda-libraries
WORKDIR /wheels
COPY package-lock.json ./
RUN version=$(python -c 'import json; print(json.load(open("package-lock.json"))["packages"]["node_modules/onnxruntime-node"]["version"])') \
    && pip install --no-cache-dir --only-binary :all: --target packages "onnxruntime-gpu[cuda,cudnn]==$version" \
    && mkdir -p /opt/onnxruntime \
    && cp -P packages/onnxruntime/capi/*.so* /opt/onnxruntime/ \
    && find packages/nvidia -name '*.so*' -exec cp -P {} /opt/onnxruntime/ \; \
    && rm -r packages /opt/onnxruntime/onnxruntime_pybind11_state* /opt/onnxruntime/*tensorrt* \
    && ln -s "libonnxruntime.so.$version" /opt/onnxruntime/libonnxruntime.so

FROM ${NODE_IMAGE} AS cpu

FROM ${NODE_IMAGE} AS cuda
COPY --from=cuda-libraries /opt/onnxruntime /opt/onnxruntime
ENV CALM_ORT_LIBRARY=/opt/onnxruntime/libonnxruntime.so \
    LD_LIBRARY_PATH=/opt/onnxruntime \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM ${DEVICE}
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE README.md ./
COPY bin bin
COPY models models
ENV NODE_ENV=production \
    CALM_HOST=0.0.0.0 \
    CALM_PORT=8000
# node, by number: orchestrators refuse names where they want a user that is not root.
USER 1000:1000
EXPOSE 8000
# Ready, not only alive: a server that drains or still loads should not be sent requests. Without a shell or curl.
# The first process is the server, or Docker's init that names it: its options say where it listens.
HEALTHCHECK --interval=30s --timeout=3s --start-period=120s --retries=3 \
    CMD ["node", "bin/calm.js", "health", "--like-process", "1"]
# Node is the first process and handles SIGTERM itself: it drains. Give it --stop-timeout 35.
ENTRYPOINT ["node", "bin/calm.js"]
CMD ["serve"]
