# The door for tools that build addons with node-gyp: `node-gyp rebuild` comes in here. The build itself is the one of
# CMakeLists.txt, which scripts/build-native.mjs runs through cmake-js; it leaves build/Release/igcnet.node, where
# node-gyp would. `npm install` calls the same script, without the Python and the Node headers that node-gyp needs.
{
  "targets": [
    {
      "target_name": "igcnet",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "building igcnet.node with CMake",
          "inputs": ["CMakeLists.txt", "<!@(node scripts/build-native.mjs --list-inputs)"],
          "outputs": ["<(module_root_dir)/build/Release/igcnet.node"],
          "action": ["node", "<(module_root_dir)/scripts/build-native.mjs", "--verbose"]
        }
      ]
    }
  ]
}
